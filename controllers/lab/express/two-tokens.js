// The same call twice. Only the secret and the time differ, so nothing in
// the tokens says which is which. "1d" is a day; "3600" would be 3.6 seconds.
userSchema.methods.accessToken = function () {
  const { _id, email, username, fullName } = this;
  return jwt.sign({ _id, email, username, fullName },
    process.env.ACCESS_TOKEN_SECRET, { expiresIn: "15m" });
};
userSchema.methods.refreshToken = function () {
  return jwt.sign({ _id: this._id },
    process.env.REFRESH_TOKEN_SECRET, { expiresIn: "10d" });
};
