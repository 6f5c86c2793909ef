// Clears the field and the cookies. A copy of the access token still works
// until it expires: nothing that verifyJWT looks at has changed.
app.post("/users/logout", verifyJWT, async (req, res) => {
  await User.findByIdAndUpdate(req.user._id, { $unset: { refreshToken: 1 } });
  return res.clearCookie("AccessToken", options)
    .clearCookie("RefreshToken", options)
    .json({ success: true });
});
