import { enhance as enhanceAll } from "./enhance.js";
import { page } from "./page.js";
import { say, send } from "./say.js";

// enhance removes an item of a list without leaving the page.
export function enhance(form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const item = form.closest("[data-list] > *");
    const list = item.parentElement;
    const title = headingOf(list).textContent;
    if (!await remove(form, item)) return;
    item.remove();
    if (list.children.length < 2) await again(title).catch(() => location.reload());
  });
}

// remove hides an item while the site removes it, and moves the focus to its neighbor. If the site refuses, the item
// and the focus come back, with a message. It returns the site's response, or nothing if the item stays.
export async function remove(form, item) {
  if (item.hidden) return null;
  const next = neighbor(item);
  item.hidden = true;
  focus(next);
  const undo = (message) => {
    item.hidden = false;
    form.querySelector("button").focus();
    say(message);
    return null;
  };
  try {
    const answer = await send(form);
    if (!answer) return null;
    if (!answer.ok && answer.status !== 404) return undo(answer.body.message);
    say(answer.ok ? answer.body.message : "It was already gone.");
    const unread = answer.body.data?.unreadCount;
    if (unread !== undefined) document.dispatchEvent(new CustomEvent("unread", { detail: unread }));
    return answer;
  } catch {
    return undo("Couldn’t reach the server. Try again.");
  }
}

// neighbor is where the focus goes when an item is removed: the next one, else the previous one, else the item or
// heading that the list belongs to.
function neighbor(item) {
  const all = [...item.parentElement.children].filter((e) => e === item || !e.hidden);
  const at = all.indexOf(item);
  return all[at + 1] ?? all[at - 1] ?? item.parentElement.closest("li") ?? headingOf(item.parentElement);
}

function headingOf(list) {
  return list.closest("section, main").querySelector("h1, h2");
}

function focus(element) {
  if (!element.hasAttribute("tabindex")) element.tabIndex = -1;
  element.focus();
}

// again re-renders the page as the site now shows it: with one item or none left, the parts around the list change too.
async function again(title) {
  const fresh = await page(location.href);
  const main = document.getElementById("main");
  main.replaceChildren(...fresh.getElementById("main").childNodes);
  enhanceAll(main);
  focus(main.querySelector("[data-list] > *") ?? [...main.querySelectorAll("h1, h2")].find((h) => h.textContent === title) ?? main);
}
