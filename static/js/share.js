import { say } from "./say.js";

// enhance makes the button copy the page's address, and adds one that hands it on to other programs, where there are any.
export function enhance(button) {
  const url = location.origin + location.pathname;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(url);
      say("Link copied.");
    } catch {
      prompt("Copy this link:", url); // browsers lend the clipboard to HTTPS alone
    }
  });
  if (!navigator.share) return;
  const share = button.cloneNode(true);
  share.removeAttribute("data-share");
  share.lastChild.textContent = " Share";
  const use = share.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, "#share"));
  share.addEventListener("click", () => {
    navigator.share({ title: document.title, url }).catch(() => {}); // changed their mind
  });
  button.after(share);
}
