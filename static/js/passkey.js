import { clearErrors, showErrors } from "./errors.js";
import { toLogin } from "./say.js";

// enhance shows a form that a passkey fills in, in browsers that support passkeys. When it is submitted, it gets a
// challenge from the site (at data-passkey), the device signs it or creates a new key pair (data-passkey-new), and the
// result is sent with the form.
export function enhance(form) {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) return; // older browsers, and pages without HTTPS
  form.hidden = false;
  form.parentElement.querySelector("[data-no-passkeys]")?.remove();
  const answer = form.elements.passkey;
  addEventListener("pageshow", () => { answer.value = ""; }); // after going back, it belongs to an old challenge

  form.addEventListener("submit", async (event) => {
    if (answer.value || !form.checkValidity()) return; // the site reports missing fields
    event.preventDefault();
    event.stopImmediatePropagation();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    clearErrors(form);
    try {
      answer.value = await ask(form);
    } catch (error) {
      showErrors(form, why(error), []);
    } finally {
      form.ariaBusy = "false";
    }
    if (!answer.value) return;
    remember(form);
    form.requestSubmit();
  }, { capture: true });
}

// ask returns the passkey's response to a new challenge, as JSON; it is empty if the user was redirected.
async function ask(form) {
  let body;
  const response = await fetch(form.dataset.passkey, { method: "POST", headers: { Accept: "application/json" } });
  try {
    body = await response.json();
  } catch {
    throw new Error("unreachable");
  }
  if (!response.ok) {
    const code = body.code;
    if (code === "confirmation_required") location.assign("/confirm?next=" + encodeURIComponent(location.pathname));
    else if (response.status === 401 && document.body.dataset.viewer) toLogin();
    else throw Object.assign(new Error(body.message), { told: true });
    return "";
  }
  const { publicKey } = body.data;
  const credential = "passkeyNew" in form.dataset
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
  return JSON.stringify(credential);
}

// why explains what went wrong, as far as browsers reveal it: they don't tell sites whether a passkey exists.
function why(error) {
  if (error.told) return error.message;
  if (error.name === "InvalidStateError") return "This device already has a passkey for your account.";
  if (error.name === "NotAllowedError" || error.name === "AbortError") return "No passkey was used. Try again, or use another way.";
  if (error.name === "SecurityError") return "Passkeys belong to the site’s own address. Open the site there, and try again.";
  return "Couldn’t reach the server. Try again.";
}

// remember copies whether to stay logged in from the form next to it.
function remember(form) {
  const box = document.querySelector("input[type=checkbox][name=remember]");
  if (box && form.elements.remember) form.elements.remember.disabled = !box.checked;
}
