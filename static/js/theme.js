// Runs before the page is painted, so that a chosen theme does not flash by.
(function () {
  var root = document.documentElement;
  root.classList.add("js");
  try {
    var theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch (e) { /* storage is forbidden: the system's theme it is */ }
})();
