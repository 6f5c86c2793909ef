// What was typed into a form that could not be sent, because the session had
// ended, is kept until the same user is back at it: in this tab alone, and only
// text. Passwords and files are never kept.

import { say } from "./say.js";

const slot = "typed";
const here = () => location.pathname + location.search;

// keep remembers what stands in the form.
export function keep(form) {
  const viewer = document.body.dataset.viewer;
  if (!viewer) return;
  const values = texts(form).filter((e) => e.type !== "radio" || e.checked).map((e) => [e.name, e.value]);
  try {
    if (values.length) sessionStorage.setItem(slot, JSON.stringify({ viewer, path: here(), action: form.getAttribute("action"), values }));
  } catch { /* storage is full or forbidden: it is lost */ }
}

// keepSent keeps what a form sends that no script answers for. If the next page
// is the login, it was not taken.
export function keepSent() {
  document.addEventListener("submit", (event) => {
    if (event.target.matches(".form:not([data-upload])")) keep(event.target);
  });
}

// arrive looks, at each page, what was kept: the login leads back to its form,
// its form gets it back, and every other page means that it is not needed.
export function arrive() {
  let kept;
  try {
    kept = JSON.parse(sessionStorage.getItem(slot));
  } catch { /* forbidden, or not ours */ }
  if (!kept) return;
  const viewer = document.body.dataset.viewer;
  if (!viewer && location.pathname === "/login") {
    const next = document.querySelector("input[name=next]");
    if (next?.value === "/") next.value = kept.path;
    sessionStorage.setItem(slot, JSON.stringify({ ...kept, refused: true }));
    return;
  }
  sessionStorage.removeItem(slot);
  if (!kept.refused || kept.viewer !== viewer) return;
  const form = [...document.forms].find((f) => f.getAttribute("action") === kept.action);
  if (form) giveBack(form, kept.values);
}

function giveBack(form, values) {
  for (const [name, value] of values) {
    for (const input of texts(form).filter((e) => e.name === name)) {
      if (input.type === "radio") input.checked = input.value === value;
      else input.value = value;
    }
  }
  const file = form.querySelector("input[type=file]") ? " Please choose the file again." : "";
  say("You were logged out. We restored what you typed." + file);
}

function texts(form) {
  return [...form.elements].filter((e) => e.name && (e.tagName === "TEXTAREA" || ["text", "email", "radio", "select-one"].includes(e.type)));
}
