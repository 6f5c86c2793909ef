// Refused, and that is all. If the thief renewed first, theirs is the token
// that is stored now: the owner gets the 401 and the thief stays.
if (user.refreshToken !== token) {
  return res.status(401).json({ message: "Tokens do not match" });
}

// What is missing: a token that was replaced came back, so end the login.
await Session.updateOne({ _id: claims.sid }, { $set: { endedAt: new Date() } });
