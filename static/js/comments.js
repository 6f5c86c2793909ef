// Comments without leaving the page: what is done shows at once, and is undone, with a message, if the site refuses. The
// site makes all the markup: what is new is taken from its pages.

import { clearErrors, showErrors } from "./errors.js";
import { keep } from "./keep.js";
import { page } from "./page.js";
import { remove as removeItem } from "./remove.js";
import { say, toLogin } from "./say.js";
import { short, toggle } from "./toggle.js";

// enhance takes over the forms and links of a section of comments, those too that come into it later.
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

// add shows the words as they will be, and then the comment as the site shows it.
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
    form.elements.idempotencyKey.value = crypto.getRandomValues(new Uint32Array(4)).join("-"); // what comes next is another comment
    const shown = await fromSite(body.data._id).catch(() => null);
    if (shown) sent.replaceWith(shown);
    else sent.ariaBusy = "false"; // it is posted all the same
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

// listFor is where a new comment goes: on top of all, or below the one that it replies to.
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

// fromSite is a comment as its thread shows it. A reply may be on a later page of a long thread: then it is there alone.
async function fromSite(id) {
  const thread = await page(`/comments/c/${id}?sortType=desc`);
  const found = thread.getElementById(`comment-${id}`);
  if (!found) throw new Error("it is gone");
  return found;
}

// remove removes a comment. Where there are replies, a placeholder stays.
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

// count adds to the number of comments, where it is shown.
function count(section, by) {
  const shown = section.querySelector("[data-comments-count]");
  if (!shown) return;
  const n = Math.max(0, Number(shown.dataset.commentsCount) + by);
  shown.dataset.commentsCount = n;
  shown.textContent = n === 1 ? "1 comment" : `${short(n)} comments`;
}

// unfold shows the replies below their comment.
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
