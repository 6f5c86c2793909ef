let timer;

// say shows a sentence for some seconds in the page's live region.
export function say(text) {
  const toast = document.getElementById("toast");
  clearTimeout(timer);
  toast.textContent = text;
  timer = setTimeout(() => { toast.textContent = ""; }, 7000);
}

// toLogin goes to the login page, and afterwards back here.
export function toLogin() {
  location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
}
