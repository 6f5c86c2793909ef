// Shared by the token editor and the decoder: the parts of a token, as bytes and as text.

// toBase64url encodes a text as a part of a token. White space outside of strings is left out.
export function toBase64url(text) {
  let compact = text;
  try {
    JSON.parse(text);
    compact = text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
  } catch { /* not JSON: it is sent unchanged */ }
  const bytes = new TextEncoder().encode(compact);
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// fromBase64url decodes a part. It throws if the part is invalid.
export function fromBase64url(part) {
  if (!/^[\w-]*$/.test(part)) throw new Error("not base64url");
  return Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}

// toText decodes bytes as UTF-8. It throws if they are invalid.
export const toText = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
