import { fromBase64url, toBase64url } from "./jwt.js";

// enhance shows, while the user types, whether the signature in the token editor is valid. It is verified here, with
// the lab's public key.
export async function enhance(editor) {
  const state = editor.querySelector("[data-signature]");
  const [header, payload, signature] = ["header", "payload", "signature"].map((name) => editor.querySelector(`[name=${name}]`));
  editor.querySelector("#sent-title")?.focus();
  let key;
  try {
    key = await crypto.subtle.importKey("raw", fromBase64url(editor.dataset.editor), "Ed25519", false, ["verify"]);
  } catch { // an older browser, or a page over plain HTTP: the server reports it after sending
    return;
  }
  let last = 0;
  const check = async () => {
    const turn = ++last;
    let fits = false;
    try {
      const signed = new TextEncoder().encode(`${toBase64url(header.value)}.${toBase64url(payload.value)}`);
      fits = await crypto.subtle.verify("Ed25519", key, fromBase64url(signature.value.trim()), signed);
    } catch { /* not base64url */ }
    if (turn !== last) return;
    const text = fits
      ? "The signature fits: the lab’s key made it from exactly this header and payload."
      : "The signature is broken: the lab’s key did not make it from this header and payload.";
    if (state.textContent !== text) state.textContent = text;
    state.classList.toggle("fits", fits);
    state.classList.toggle("broken", !fits);
  };
  [header, payload, signature].forEach((field) => field.addEventListener("input", check));
  check();
}
