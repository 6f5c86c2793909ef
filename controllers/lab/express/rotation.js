// The usual way: compare, then overwrite. Between the two lines another
// request can do the same, and the one that loses is logged out.
if (user.refreshToken !== token) return res.sendStatus(401);
user.refreshToken = user.newRefreshToken();
await user.save();

// One write with a condition: exactly one of eight requests succeeds.
// The other seven still need the same successor; this alone gives them 401.
const { modifiedCount } = await User.updateOne(
  { _id: user._id, refreshToken: token },
  { $set: { refreshToken: successor } },
);
