// The client calls this when it gets a 401, and then tries again.
app.post("/users/regenerate-tokens", async (req, res) => {
  let claims;
  try {
    claims = jwt.verify(req.cookies.RefreshToken, process.env.REFRESH_TOKEN_SECRET);
  } catch {
    return res.sendStatus(401); // without this catch, an expired token is a 500
  }
  const user = await User.findById(claims._id);
  if (user?.refreshToken !== req.cookies.RefreshToken) return res.sendStatus(401);
  return sendTokens(res, user);
});
