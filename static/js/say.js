let timer;

// say announces a message in the page's live region for a few seconds. A quiet message is only for users who can't see
// that the page changed.
export function say(text, quiet = false) {
  const toast = document.getElementById("toast");
  toast.classList.toggle("visually-hidden", quiet);
  clearTimeout(timer);
  toast.textContent = text;
  timer = setTimeout(() => { toast.textContent = ""; }, 7000);
}

const slot = "told";

// tell stores a message for the next page.
export function tell(text) {
  try {
    sessionStorage.setItem(slot, text);
  } catch { /* not allowed: the page itself shows the result */ }
}

// sayTold announces the message from the previous page.
export function sayTold() {
  try {
    const text = sessionStorage.getItem(slot);
    sessionStorage.removeItem(slot);
    if (text) say(text);
  } catch { /* not allowed */ }
}

// send submits a form without leaving the page. If the user has been logged out, they are redirected to the login page,
// and it returns nothing.
export async function send(form) {
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } });
  if (answer.status === 401) return toLogin();
  return { ok: answer.ok, status: answer.status, body: await answer.json() };
}

// toLogin goes to the login page, which leads back here.
export function toLogin() {
  location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
}
