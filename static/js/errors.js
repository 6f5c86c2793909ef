// clearErrors removes the errors of an earlier attempt.
export function clearErrors(form) {
  form.querySelectorAll(".error, .alert").forEach((e) => e.remove());
  document.title = document.title.replace(/^Error: /, "");
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    describe(input, `${input.name}-error`, false);
  }
}

// showErrors shows errors like the site's own pages: each next to its field, and a summary that links to them and gets
// the focus.
export function showErrors(form, message, errors) {
  const links = [];
  for (const { field, message } of errors) {
    const found = form.elements[field];
    const input = found instanceof RadioNodeList ? found[0] : found;
    if (!input?.closest(".field")) continue; // not a field that the user can fill in
    const error = line("error", message);
    error.id = `${field}-error`;
    input.closest(".field").append(error);
    input.setAttribute("aria-invalid", "true");
    describe(input, error.id, true);
    links.push(link(input));
  }
  const alert = line("alert", links.length ? "Please fix the highlighted fields:" : message);
  alert.setAttribute("role", "alert");
  const words = alert.querySelector("span");
  for (const a of links) words.append(" ", a);
  form.prepend(alert);
  alert.focus();
  document.title = "Error: " + document.title.replace(/^Error: /, "");
}

function line(name, text) {
  const p = document.createElement("p");
  p.className = name;
  p.tabIndex = -1;
  const words = document.createElement("span");
  words.textContent = text;
  const sprite = document.querySelector("svg.icon use").getAttribute("href").split("#")[0];
  p.innerHTML = `<svg class="icon" aria-hidden="true" focusable="false"><use></use></svg> `;
  p.querySelector("use").setAttribute("href", `${sprite}#alert`);
  p.append(words);
  return p;
}

function link(input) {
  const a = document.createElement("a");
  a.href = "#" + input.id;
  a.textContent = input.dataset.called;
  return a;
}

function describe(input, id, on) {
  const ids = new Set((input.getAttribute("aria-describedby") || "").split(" ").filter(Boolean));
  if (on) ids.add(id);
  else ids.delete(id);
  if (ids.size) input.setAttribute("aria-describedby", [...ids].join(" "));
  else input.removeAttribute("aria-describedby");
}
