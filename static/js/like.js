import { say, toLogin } from "./say.js";
import { short } from "./toggle.js";

// enhance sends a like without leaving the page.
export function enhance(form) {
  const button = form.querySelector("button");
  const count = form.querySelector("[data-count]");
  const address = form.dataset.like;
  let busy = false;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    const liked = button.getAttribute("aria-pressed") === "true";
    try {
      const answer = await fetch(address, { method: liked ? "DELETE" : "PUT", headers: { Accept: "application/json" } });
      if (answer.status === 401) return toLogin();
      const body = await answer.json();
      if (!answer.ok) return say(body.message);
      button.setAttribute("aria-pressed", String(body.data.isLiked));
      count.textContent = short(body.data.likesCount);
      form.action = `${address}?_method=${body.data.isLiked ? "DELETE" : "PUT"}`;
    } catch {
      say("That did not reach the server. Try again.");
    } finally {
      busy = false;
    }
  });
}
