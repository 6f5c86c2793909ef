// menu closes the <details> menu as one expects: on Escape and on a click elsewhere.
export function menu(details) {
  if (!details) return;
  document.addEventListener("click", (event) => {
    if (!details.contains(event.target)) details.open = false;
  });
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    details.querySelector("summary").focus();
  });
}
