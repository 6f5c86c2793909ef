// Two calls of jsonwebtoken, and a secret from .env.
const token = jwt.sign(
  { _id: user._id, email: user.email, username: user.username },
  process.env.ACCESS_TOKEN_SECRET,
  { expiresIn: process.env.ACCESS_TOKEN_EXPIRY },
);

// Say which algorithm you accept: the token's header must not decide it.
const claims = jwt.verify(token, process.env.ACCESS_TOKEN_SECRET, {
  algorithms: ["HS256"],
});
