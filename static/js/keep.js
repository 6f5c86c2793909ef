// What was typed into a form that could not be sent, because the session had
// ended, is kept until the same user is back at it: in this tab alone, and only
// text. Passwords and files are never kept.

const prefix = "typed ";

// keep remembers what stands in the form.
export function keep(form) {
  const viewer = document.body.dataset.viewer;
  if (!viewer) return;
  const values = texts(form).filter((input) => input.type !== "radio" || input.checked).map((input) => [input.name, input.value]);
  try {
    sessionStorage.setItem(prefix + location.pathname + location.search, JSON.stringify({ viewer, values }));
  } catch { /* storage is full or forbidden: it is lost */ }
}

// giveBack writes it into the form again. What another user typed is thrown away.
export function giveBack(form) {
  const viewer = document.body.dataset.viewer;
  const key = prefix + location.pathname + location.search;
  let kept;
  try {
    kept = JSON.parse(sessionStorage.getItem(key));
    if (viewer) sessionStorage.removeItem(key);
  } catch { /* not ours */ }
  if (!kept || kept.viewer !== viewer) return false;
  for (const [name, value] of kept.values) {
    for (const input of texts(form).filter((i) => i.name === name)) {
      if (input.type === "radio") input.checked = input.value === value;
      else input.value = value;
    }
  }
  return true;
}

function texts(form) {
  return [...form.elements].filter((e) => e.name && (e.tagName === "TEXTAREA" || ["text", "email", "radio"].includes(e.type)));
}
