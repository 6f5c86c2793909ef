let timer;

// say puts a sentence into the page's live region for some seconds. Quiet, it is
// for those alone who do not see that the page changed.
export function say(text, quiet = false) {
  const toast = document.getElementById("toast");
  toast.classList.toggle("visually-hidden", quiet);
  clearTimeout(timer);
  toast.textContent = text;
  timer = setTimeout(() => { toast.textContent = ""; }, 7000);
}

const slot = "told";

// tell keeps a sentence for the page that is opened next.
export function tell(text) {
  try {
    sessionStorage.setItem(slot, text);
  } catch { /* forbidden: the page itself shows what was done */ }
}

// sayTold says what the page before told.
export function sayTold() {
  try {
    const text = sessionStorage.getItem(slot);
    sessionStorage.removeItem(slot);
    if (text) say(text);
  } catch { /* forbidden */ }
}

// send sends a form and stays in the page. Whoever is logged out meanwhile is led to the login page: then it is nothing.
export async function send(form) {
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } });
  if (answer.status === 401) return toLogin();
  return { ok: answer.ok, status: answer.status, body: await answer.json() };
}

// toLogin goes to the login page, and afterwards back here.
export function toLogin() {
  location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
}
