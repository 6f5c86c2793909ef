// Comments without leaving the page: changes show immediately, and are undone, with a message, if the site rejects
// them. All markup comes from the site: new comments are taken from its pages.

import { clearErrors, showErrors } from "./errors.js";
import { keep } from "./keep.js";
import { page } from "./page.js";
import { remove as removeItem } from "./remove.js";
import { say, toLogin } from "./say.js";
import { short, toggle } from "./toggle.js";

// enhance handles the forms and links in a section of comments, including those added later.
export function enhance(section) {
  section.addEventListener("submit", (event) => {
    const form = event.target;
    for (const [kind, act] of [["commentForm", add], ["toggle", toggle], ["commentDelete", remove]]) {
      if (!(kind in form.dataset) || event.defaultPrevented) continue;
      event.preventDefault();
      act(form, section);
    }
  });
  section.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const act = "replies" in link.dataset ? unfold : "commentsOrder" in link.dataset ? reorder : null;
    if (!act) return;
    event.preventDefault();
    act(link, section).catch(() => location.assign(link.href));
  });
}

// add shows the new comment immediately, and replaces it with the site's markup once it is saved.
async function add(form, section) {
  if (form.ariaBusy === "true") return;
  clearErrors(form);
  const typed = form.elements.content.value;
  if (!typed.trim()) return showErrors(form, "Please fix the highlighted fields.", [{ field: "content", message: "Enter some text." }]);
  const values = new URLSearchParams(new FormData(form));
  form.ariaBusy = "true";
  const list = listFor(form, section);
  const sent = waiting(typed);
  if (form.elements.parent) list.append(sent);
  else list.prepend(sent);
  form.elements.content.value = "";
  const undo = () => {
    sent.remove();
    if (!list.children.length && list.parentElement.closest(".comment")) list.remove();
    form.elements.content.value = typed;
  };
  try {
    const answer = await fetch(form.action, { method: "POST", body: values, headers: { Accept: "application/json" } });
    if (answer.status === 401) {
      undo();
      keep(form);
      return toLogin();
    }
    const body = await answer.json();
    if (!answer.ok) {
      undo();
      showErrors(form, body.message, body.errors);
      return say(body.message);
    }
    form.elements.idempotencyKey.value = crypto.getRandomValues(new Uint32Array(4)).join("-"); // the next submission is another comment
    const shown = await fromSite(body.data._id).catch(() => null);
    if (shown) sent.replaceWith(shown);
    else sent.ariaBusy = "false"; // it has been posted anyway
    section.querySelector("[data-comments-none]")?.remove();
    count(section, 1);
    form.closest("details")?.removeAttribute("open");
    say(form.elements.parent ? "Reply posted." : "Comment posted.");
  } catch {
    undo();
    say("Couldn’t reach the server. Try again.");
  } finally {
    form.ariaBusy = "false";
  }
}

// listFor is where a new comment goes: at the top of the list, or below the comment that it replies to.
function listFor(form, section) {
  const main = section.querySelector("[data-list]");
  const comment = form.closest(".comment");
  if (!comment || main.classList.contains("replies")) return main;
  return comment.closest(".comment .comment-list") || nested(comment);
}

function nested(comment) {
  let list = comment.querySelector(":scope > .comment-list");
  if (!list) {
    list = document.createElement("ul");
    list.className = "comment-list";
    comment.append(list);
  }
  return list;
}

function waiting(words) {
  const item = document.createElement("li");
  item.className = "comment";
  item.ariaBusy = "true";
  const text = document.createElement("div");
  text.className = "comment-text";
  text.dir = "auto";
  text.textContent = words;
  item.append(text);
  return item;
}

// fromSite is a comment as rendered on its thread's page. In a long thread, a reply may be on a later page: then it is
// shown alone.
async function fromSite(id) {
  const thread = await page(`/comments/c/${id}?sortType=desc`);
  const found = thread.getElementById(`comment-${id}`);
  if (!found) throw new Error("it is gone");
  return found;
}

// remove removes a comment. If it has replies, a placeholder remains.
async function remove(form, section) {
  const comment = form.closest(".comment");
  const removed = await removeItem(form, comment);
  if (!removed) return;
  if (removed.ok) count(section, -1);
  const left = comment.dataset.answered > 0 || comment.querySelector(".comment") ? await fromSite(comment.dataset.comment).catch(() => null) : null;
  if (!left) return comment.remove();
  const replies = comment.querySelector(":scope > .comment-thread, :scope > .comment-list");
  if (replies) left.append(replies);
  comment.replaceWith(left);
}

// count adjusts the number of comments wherever it is shown.
function count(section, by) {
  const shown = section.querySelector("[data-comments-count]");
  if (!shown) return;
  const n = Math.max(0, Number(shown.dataset.commentsCount) + by);
  shown.dataset.commentsCount = n;
  shown.textContent = n === 1 ? "1 comment" : `${short(n)} comments`;
}

// unfold shows a comment's replies below it.
async function unfold(link) {
  const comment = link.closest(".comment");
  link.ariaBusy = "true";
  const thread = await page(link.href);
  const replies = [...thread.querySelectorAll("[data-list] > *")];
  const list = nested(comment);
  list.replaceChildren(...replies);
  const more = thread.querySelector("[data-more]");
  if (more) { // the rest is on the thread's own page
    more.removeAttribute("data-more");
    const item = document.createElement("li");
    item.append(more);
    list.append(item);
  }
  link.parentElement.remove();
  say(replies.length === 1 ? "1 reply" : `${replies.length} replies`, true);
  list.tabIndex = -1;
  list.focus({ preventScroll: true });
}

// reorder shows the comments in another order.
async function reorder(link, section) {
  section.ariaBusy = "true";
  const fresh = (await page(link.href)).querySelector("[data-comments]");
  const order = link.textContent;
  section.replaceChildren(...fresh.childNodes);
  section.ariaBusy = "false";
  const more = section.querySelector("[data-more]");
  if (more) (await import("./more.js")).enhance(more);
  [...section.querySelectorAll("[data-comments-order]")].find((a) => a.textContent === order)?.focus();
  say(`Order: ${order}`, true);
}
