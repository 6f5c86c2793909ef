// A login leads back to where one came from, and to the same place on that page:
// browsers keep the fragment of an address when they are redirected to the login.

// enhance adds it to where the form leads, and to the links beside it.
export function enhance(next) {
  if (!location.hash || next.value.includes("#")) return;
  next.value += location.hash;
  for (const link of document.querySelectorAll("a[data-next]")) link.hash = location.hash;
}
