// The password is right. No session yet: a token that says only that.
const once = crypto.randomUUID();
await Once.create({ _id: sha256(once), user: user._id, expiresAt: inFiveMinutes() });
const half = jwt.sign({ sub: user.id, jti: once }, process.env.REFRESH_TOKEN_SECRET, {
  algorithm: "HS256", audience: "tokentube-2fa", expiresIn: "5m", header: { typ: "2fa+jwt" },
});
return res.cookie("SecondStep", half, { httpOnly: true, secure: true, sameSite: "lax" }).redirect("/login/code");

// The second step. The audience keeps every other token out, and this one out of everything else.
const claims = jwt.verify(req.cookies.SecondStep, process.env.REFRESH_TOKEN_SECRET, {
  algorithms: ["HS256"], audience: "tokentube-2fa",
});
const step = stepOf(req.body.code, user.secret); // undefined, if it is wrong
// Each code once: of many requests with one code, one finds a step that is older.
const used = await User.updateOne({ _id: claims.sub, lastStep: { $lt: step } }, { $set: { lastStep: step } });
// Each token once.
const fresh = await Once.deleteOne({ _id: sha256(claims.jti) });
if (!step || !used.modifiedCount || !fresh.deletedCount) {
  return res.status(401).json({ message: "Wrong code" });
}
