// The guard of every private route. Mind the return: without it, the
// handler runs although the response has been sent.
async function verifyJWT(req, res, next) {
  const token = req.cookies.AccessToken ?? req.get("Authorization")?.replace(/^Bearer /, "");
  try {
    const { _id } = jwt.verify(token, process.env.ACCESS_TOKEN_SECRET);
    req.user = await User.findById(_id);
  } catch {
    return res.status(401).json({ message: "Log in first." });
  }
  return req.user ? next() : res.sendStatus(401);
}
app.post("/likes/:id", verifyJWT, like);
