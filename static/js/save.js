import { enhance as toggle } from "./toggle.js";
import { page } from "./page.js";
import { say } from "./say.js";

// enhance opens the link's page in a dialog.
export function enhance(link) {
  link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    try {
      const saver = (await page(link.href)).querySelector("[data-saver]");
      if (!saver) return location.assign(link.href); // the login page, or an error
      show(saver, link);
    } catch (error) {
      if (error instanceof TypeError) say("Couldn’t reach the server. Try again.");
      else location.assign(link.href); // the page shows what is wrong
    }
  });
}

function show(saver, link) {
  const dialog = document.createElement("dialog");
  dialog.className = "sheet";
  const title = saver.querySelector("h1");
  const heading = document.createElement("h2");
  heading.id = "saver-title";
  heading.textContent = title.textContent;
  title.replaceWith(heading);
  dialog.setAttribute("aria-labelledby", heading.id);
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button quiet";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  saver.querySelector("a.quiet").replaceWith(close);
  dialog.append(document.adoptNode(saver));
  dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
  document.body.append(dialog);
  dialog.querySelectorAll("[data-toggle]").forEach(toggle);
  dialog.showModal();
}
