import { say } from "./say.js";

// enhance makes the button copy the page's URL, and adds a button that shares it with other apps, if the browser
// supports that.
export function enhance(button) {
  const url = location.origin + location.pathname;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(url);
      say("Link copied.");
    } catch {
      prompt("Copy this link:", url); // browsers only allow access to the clipboard over HTTPS
    }
  });
  if (!navigator.share) return;
  const share = button.cloneNode(true);
  share.removeAttribute("data-share");
  share.lastChild.textContent = " Share";
  const use = share.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, "#share"));
  share.addEventListener("click", () => {
    navigator.share({ title: document.title, url }).catch(() => {}); // the user cancelled
  });
  button.after(share);
}
