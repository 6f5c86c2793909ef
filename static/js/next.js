// A login leads back to the page the user came from, and to the same place on it: browsers keep a URL's fragment when
// they are redirected to the login page.

// enhance adds the fragment to the form's destination, and to the links next to the form.
export function enhance(next) {
  if (!location.hash || next.value.includes("#")) return;
  next.value += location.hash;
  for (const link of document.querySelectorAll("a[data-next]")) link.hash = location.hash;
}
