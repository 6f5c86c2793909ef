// One field per user: a second login overwrites the first, and anyone who
// can read the database can use what is in it.
user.refreshToken = refreshToken;
await user.save({ validateBeforeSave: false });

const options = { httpOnly: true, secure: true };
res.cookie("AccessToken", accessToken, options)
  .cookie("RefreshToken", refreshToken, options)
  .json({ success: true, data: { user: { _id: user._id } } });
