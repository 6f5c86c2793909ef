import { enhance as enhanceAll } from "./enhance.js";
import { page } from "./page.js";
import { say } from "./say.js";

// How many pages load automatically before the reader must ask for more, so that they can reach the end of the page.
const unasked = 4;

// How many pages are restored at most when somebody returns to a long list.
const remembered = 20;

// enhance makes the "More" link load the next page into this one. Going back returns to the same place in the list.
export async function enhance(link) {
  const list = document.querySelector("[data-list]");
  let loaded = 0; // since the reader last asked for more
  let pages = 0;
  let busy = false;
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.at(-1).isIntersecting || loaded >= unasked) return;
    load(false).then(() => {
      watcher.unobserve(link);
      if (link.isConnected) watcher.observe(link); // on a tall screen it may still be visible
    }, () => {});
  }, { rootMargin: "600px" });

  const load = async (focus) => {
    if (busy) return;
    busy = true;
    link.setAttribute("aria-busy", "true");
    try {
      const { items, next } = await fetchPage(link.href);
      list.append(...items);
      items.forEach(enhanceAll);
      loaded++;
      pages++;
      if (focus) items[0]?.querySelector(".card-link, a")?.focus();
      if (next) link.href = next.getAttribute("href");
      else { watcher.disconnect(); link.parentElement.remove(); }
      say(next ? `${items.length} more` : "End of the list", true);
    } catch {
      watcher.disconnect();
      say("Couldn’t load more. Select “More” to try again.");
      throw new Error("no more");
    } finally {
      busy = false;
      link.removeAttribute("aria-busy");
    }
  };

  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    loaded = 0;
    load(true).catch(() => {});
  });

  addEventListener("pagehide", () => {
    const at = document.activeElement?.closest("[data-list] a")?.getAttribute("href");
    history.replaceState({ ...history.state, more: pages, y: scrollY, at }, "");
  });
  await restore(list, () => link.isConnected && load(false));
  loaded = 0;
  if (link.isConnected) watcher.observe(link);
}

async function fetchPage(address) {
  const fresh = await page(address);
  return { items: [...fresh.querySelectorAll("[data-list] > *")], next: fresh.querySelector("[data-more]") };
}

// restore reloads what was there when the reader left, unless the browser kept the whole page.
async function restore(list, load) {
  const returned = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  const { more, y, at } = (returned && history.state) || {};
  if (!more) return;
  history.scrollRestoration = "manual";
  try {
    for (let i = 0; i < Math.min(more, remembered); i++) await load();
    scrollTo({ top: y, behavior: "instant" });
    if (at) list.querySelector(`a[href="${CSS.escape(at)}"]`)?.focus({ preventScroll: true });
  } catch { /* already reported */ }
}
