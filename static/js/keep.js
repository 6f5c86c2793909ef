// Text typed into a form that could not be sent, because the session had ended, is kept until the same user returns to
// the form. It is kept in this tab only; passwords and files are never kept.

import { say } from "./say.js";

const slot = "typed";
const here = () => location.pathname + location.search;

// keep stores the form's values.
export function keep(form) {
  const viewer = document.body.dataset.viewer;
  if (!viewer) return;
  const values = texts(form).filter((e) => e.type !== "radio" || e.checked).map((e) => [e.name, e.value]);
  try {
    if (values.length) sessionStorage.setItem(slot, JSON.stringify({ viewer, path: here(), action: form.getAttribute("action"), values }));
  } catch { /* storage is full or not allowed: the text is lost */ }
}

// keepSent stores the values of forms that are sent without a script. If the next page is the login page, the form was
// rejected.
export function keepSent() {
  document.addEventListener("submit", (event) => {
    if (event.target.matches(".form:not([data-upload])")) keep(event.target);
  });
}

// arrive checks on each page for stored values: the login page is made to lead back to the form, the form gets the
// values back, and on any other page they are no longer needed.
export function arrive() {
  let kept;
  try {
    kept = JSON.parse(sessionStorage.getItem(slot));
  } catch { /* not allowed, or not ours */ }
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
