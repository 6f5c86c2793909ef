// clearErrors takes away what an earlier try left.
export function clearErrors(form) {
  form.querySelectorAll(".error, .alert").forEach((e) => e.remove());
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    describe(input, `${input.name}-error`, false);
  }
}

// showErrors says what is wrong: the message on top, each fault beside its field.
export function showErrors(form, message, errors) {
  const alert = line("alert", message);
  alert.setAttribute("role", "alert");
  form.prepend(alert);
  let first;
  for (const { field, message } of errors) {
    const input = form.elements[field];
    if (!input?.closest) continue; // not in this form, or a group of radios
    const error = line("error", message);
    error.id = `${field}-error`;
    input.closest(".field").append(error);
    input.setAttribute("aria-invalid", "true");
    describe(input, error.id, true);
    first ??= input;
  }
  (first || alert).focus();
}

function line(name, text) {
  const p = document.createElement("p");
  p.className = name;
  p.tabIndex = -1;
  p.textContent = text;
  return p;
}

function describe(input, id, on) {
  const ids = new Set((input.getAttribute("aria-describedby") || "").split(" ").filter(Boolean));
  if (on) ids.add(id);
  else ids.delete(id);
  if (ids.size) input.setAttribute("aria-describedby", [...ids].join(" "));
  else input.removeAttribute("aria-describedby");
}
