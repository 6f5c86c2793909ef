// httpOnly and secure are the usual two. Without sameSite and maxAge,
// the browser decides about the rest.
const options = { httpOnly: true, secure: true, sameSite: "lax" };
const maxAge = 10 * 24 * 60 * 60 * 1000; // milliseconds

res.cookie("RefreshToken", refreshToken, remember ? { ...options, maxAge } : options);
res.clearCookie("RefreshToken", options); // the same options, without maxAge
