let timer;

// say puts a sentence into the page's live region for some seconds. Quiet, it is
// for those alone who do not see that the page changed.
export function say(text, quiet = false) {
  const toast = document.getElementById("toast");
  toast.classList.toggle("visually-hidden", quiet);
  clearTimeout(timer);
  toast.textContent = text;
  timer = setTimeout(() => { toast.textContent = ""; }, 7000);
}

// toLogin goes to the login page, and afterwards back here.
export function toLogin() {
  location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
}
