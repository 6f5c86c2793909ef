// Usually a proxy speaks HTTPS. Express must be told that it is there, or
// req.secure is false and the redirect below never ends.
app.set("trust proxy", 1);
app.use((req, res, next) => {
  if (!req.secure) return res.redirect(308, process.env.BASE_URL + req.originalUrl);
  res.set("Strict-Transport-Security", "max-age=63072000; includeSubDomains");
  return next();
});
