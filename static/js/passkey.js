import { clearErrors, showErrors } from "./errors.js";
import { toLogin } from "./say.js";

// enhance shows a form that a passkey fills in, in browsers that know passkeys. When it is sent, the site gives a challenge
// (data-passkey says where), the device signs it, or makes a new key pair (data-passkey-new), and the answer goes with the form.
export function enhance(form) {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) return; // older ones, and pages without HTTPS
  form.hidden = false;
  form.parentElement.querySelector("[data-no-passkeys]")?.remove();
  const answer = form.elements.passkey;
  addEventListener("pageshow", () => { answer.value = ""; }); // gone back to: it was for the challenge of then

  form.addEventListener("submit", async (event) => {
    if (answer.value || !form.checkValidity()) return; // what is missing, the site tells
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

// ask is what the person's passkey answers to a new challenge, as JSON; empty, if they are led elsewhere.
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

// why says what went wrong, as far as browsers tell: they don't tell sites whether there is a passkey.
function why(error) {
  if (error.told) return error.message;
  if (error.name === "InvalidStateError") return "This device already has a passkey for your account.";
  if (error.name === "NotAllowedError" || error.name === "AbortError") return "No passkey was used. Try again, or use another way.";
  if (error.name === "SecurityError") return "Passkeys belong to the site’s own address. Open the site there, and try again.";
  return "Couldn’t reach the server. Try again.";
}

// remember copies the choice of the form beside it, of whether one stays logged in.
function remember(form) {
  const box = document.querySelector("input[type=checkbox][name=remember]");
  if (box && form.elements.remember) form.elements.remember.disabled = !box.checked;
}
