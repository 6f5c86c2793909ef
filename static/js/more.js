import { say } from "./say.js";

// How many pages come by themselves before the reader is asked again, so that
// the end of the page can be reached.
const unasked = 4;

// enhance makes the "More" link bring the next page into this one.
export function enhance(link) {
  const list = document.querySelector("[data-list]");
  let loaded = 0;
  let busy = false;

  const load = async (focus) => {
    if (busy) return;
    busy = true;
    link.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const items = [...page.querySelectorAll("[data-list] > *")];
      list.append(...items);
      loaded++;
      if (focus) items[0]?.querySelector(".card-link, a")?.focus();
      const next = page.querySelector("[data-more]");
      if (next) link.href = next.getAttribute("href");
      else { watcher.disconnect(); link.parentElement.remove(); }
      say(next ? `${items.length} more` : "End of the list", true);
    } catch {
      watcher.disconnect();
      say("Couldn’t load more. Select “More” to try again.");
    } finally {
      busy = false;
      link.removeAttribute("aria-busy");
    }
  };

  const watcher = new IntersectionObserver((entries) => {
    if (entries[0].isIntersecting && loaded < unasked) load(false);
  }, { rootMargin: "600px" });
  watcher.observe(link);

  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    loaded = 0;
    load(true);
  });
}
