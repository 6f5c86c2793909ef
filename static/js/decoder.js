import { fromBase64url, toText } from "./jwt.js";

// enhance decodes what is pasted. It sends nothing, and stores nothing.
export function enhance(page) {
  const input = page.querySelector("#token");
  const out = page.querySelector("[data-decoded]");
  const meanings = new Map([...page.querySelectorAll("[data-meanings] > div")].map((e) => [e.querySelector("dt").textContent, e.querySelector("dd").textContent]));
  input.value = "";
  input.addEventListener("input", () => {
    const raw = input.value.trim().replace(/^(Authorization:\s*)?Bearer\s+/i, "");
    out.replaceChildren(...(raw ? decode(raw, meanings, Date.now() / 1000) : []));
  });
}

function decode(raw, meanings, now) {
  const parts = raw.split(".");
  if (parts.length === 5) return [odd(["This has five parts: it is encrypted (JWE, RFC 7516), and only who has the key can read it."])];
  if (parts.length !== 3) return [odd([`A signed token has three parts with dots between them. This has ${parts.length}.`])];
  const faults = [];
  const [header, payload] = ["header", "payload"].map((name, i) => object(parts[i], name, faults));
  const all = [...faults, ...(header ? oddHeader(header, parts[2]) : []), ...(payload ? oddPayload(payload, now) : [])];
  return [
    all.length ? odd(all) : element("p", "decoder-fine", "Nothing about it looks odd. Whether the signature fits, only who has the key can tell."),
    element("p", "editor-raw", ...parts.flatMap((part, i) => [i ? "." : "", element("span", `jwt-${["header", "payload", "signature"][i]}`, part)])),
    ...(header ? [element("h2", "jwt-header", "Header"), element("pre", "", JSON.stringify(header, null, 2))] : []),
    ...(payload ? [element("h2", "jwt-payload", "Payload"), claims(payload, meanings, now)] : []),
    element("h2", "jwt-signature", "Signature"),
    element("p", "", parts[2] ? `${Math.floor(parts[2].length * 3 / 4)} bytes. It was not checked: that needs the key.` : "None."),
  ];
}

// object parses a part that is a JSON object.
function object(part, name, faults) {
  try {
    const value = JSON.parse(toText(fromBase64url(part)));
    if (value && typeof value === "object" && !Array.isArray(value)) return value;
  } catch { /* reported below */ }
  faults.push(`The ${name} isn’t a JSON object in base64url.`);
  return null;
}

function oddHeader(header, signature) {
  const found = [];
  const alg = String(header.alg ?? "");
  if (!alg) found.push("The header names no algorithm.");
  if (alg.toLowerCase() === "none") found.push("alg is none: anyone can write such a token, and no server may accept it (RFC 8725 §3.2).");
  else if (!signature) found.push("There is no signature.");
  for (const name of ["jwk", "jku", "x5u", "x5c"]) {
    if (name in header) found.push(`The token brings its own key (${name}). A server that believes it believes anyone (RFC 8725 §3.10).`);
  }
  if (/[/\\'";]|\.\./.test(String(header.kid ?? ""))) found.push("The kid looks like a path or a query: somebody may be trying to make a server read another key (RFC 8725 §3.10).");
  if (!header.typ || header.typ === "JWT") found.push("No explicit type: nothing in the header tells what kind of token it is (RFC 8725 §3.11).");
  return found;
}

const day = 86400;

function oddPayload(payload, now) {
  const found = [];
  const { exp, iat, nbf } = payload;
  for (const [name, value] of Object.entries({ exp, iat, nbf })) {
    if (value !== undefined && typeof value !== "number") found.push(`${name} isn’t a number of seconds.`);
  }
  if (exp === undefined) found.push("There is no exp: it never expires.");
  else if (typeof exp === "number" && exp <= now) found.push(`It has expired, ${words(exp - now)}.`);
  if (typeof exp === "number" && exp > 1e11) found.push("exp seems to be in milliseconds. It must be in seconds (RFC 7519 §2).");
  else if (typeof exp === "number" && exp - (typeof iat === "number" ? iat : now) > day) found.push(`It lives long: ${span(exp - (typeof iat === "number" ? iat : now))}. That is usual for a refresh token, and much for an access token.`);
  if (typeof iat === "number" && iat > now + 30) found.push("It was issued in the future.");
  if (typeof nbf === "number" && nbf > now) found.push(`It isn’t valid yet: ${words(nbf - now)}.`);
  if (payload.aud === undefined) found.push("There is no aud: it doesn’t say whom it is for (RFC 8725 §3.9).");
  if (payload.iss === undefined) found.push("There is no iss: it doesn’t say who made it (RFC 8725 §3.8).");
  const secret = Object.keys(payload).filter((name) => /passw|secret|creditcard|cvv|apikey/i.test(name));
  if (secret.length) found.push(`It says ${secret.join(", ")}. Anyone who has the token can read that.`);
  return found;
}

function claims(payload, meanings, now) {
  return element("dl", "claims", ...Object.entries(payload).map(([name, value]) => {
    const time = ["exp", "iat", "nbf", "auth_time"].includes(name) && typeof value === "number" && Math.abs(value) < 8e12;
    const notes = [time ? `${new Date(value * 1000).toUTCString()}, ${words(value - now)}` : "", meanings.get(name) ?? ""].filter(Boolean);
    return element("div", "", element("dt", "", name), element("dd", "", element("code", "", JSON.stringify(value)), ` ${notes.join(" · ")}`));
  }));
}

// words describes a time relative to now: "in 10 minutes", "3 hours ago".
const words = (seconds) => (seconds > 0 ? `in ${span(seconds)}` : `${span(-seconds)} ago`);

function span(seconds) {
  for (const [unit, length] of [["year", 365 * day], ["day", day], ["hour", 3600], ["minute", 60]]) {
    const n = Math.floor(seconds / length);
    if (n) return `${n} ${unit}${n === 1 ? "" : "s"}`;
  }
  const n = Math.round(seconds);
  return `${n} second${n === 1 ? "" : "s"}`;
}

function odd(texts) {
  const title = element("h2", "", texts.length === 1 ? "One thing is odd" : `${texts.length} things are odd`);
  return element("section", "decoder-odd", title, element("ul", "", ...texts.map((text) => element("li", "", text))));
}

function element(name, className, ...children) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (name === "pre" || name === "code") e.dir = "auto";
  if (name === "pre") e.tabIndex = 0;
  e.append(...children);
  return e;
}
