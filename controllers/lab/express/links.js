// A token for everything: it resets the password, confirms the address, and
// whoever reads the database can use it.
user.token = Math.random().toString(36).slice(2);
await user.save();
await sendMail(user.email, `${process.env.BASE_URL}/link/${user.token}`);

// What is missing: one purpose, one use, an end, and only a hash is kept.
const token = crypto.randomBytes(16).toString("base64url");
const hash = crypto.createHash("sha256").update(token).digest();
const expiresAt = new Date(Date.now() + 30 * 60 * 1000);
await Link.create({ user: user._id, purpose: "reset_password", hash, expiresAt });
