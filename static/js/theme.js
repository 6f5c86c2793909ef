// Runs before the page is painted, so that it doesn't flash in the wrong theme.
(function () {
  var root = document.documentElement;
  root.classList.add("js");
  try {
    var theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch (e) { /* storage is not allowed: the system's theme applies */ }
})();
