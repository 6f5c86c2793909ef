import { say } from "./say.js";

const slot = "shortcuts";

const keys = [
  ["?", "Show this list", () => open()],
  ["/", "Search", () => document.getElementById("search").select()],
  ["j", "Next post in a list", () => step(1)],
  ["k", "Previous post in a list", () => step(-1)],
  ["l", "Like", () => press("form.like button, a.like-button")],
  ["s", "Subscribe", () => press("form.subscribe button")],
  ["c", "Write a comment", () => focus("[data-comments] .comment-form textarea")],
  ["n", "Create a post", () => location.assign("/create")],
  ["h", "Home", () => location.assign("/")],
];

// enhance makes the button list the keyboard shortcuts, and makes them work.
export function enhance(button) {
  button.addEventListener("click", open);
  document.addEventListener("keydown", (event) => {
    if (off() || event.defaultPrevented || event.repeat || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable], video, dialog")) return;
    const found = keys.find(([key]) => key === event.key);
    if (!found) return;
    event.preventDefault();
    found[2]();
  });
}

// off reports whether the reader has turned single-key shortcuts off: people who use speech input must be able to (WCAG
// 2.1.4).
function off() {
  try {
    return localStorage.getItem(slot) === "off";
  } catch {
    return false;
  }
}

function open() {
  if (document.getElementById("shortcuts")) return;
  const dialog = document.createElement("dialog");
  dialog.id = "shortcuts";
  dialog.className = "sheet";
  dialog.setAttribute("aria-labelledby", "shortcuts-title");
  dialog.innerHTML = `<div class="panel"><h2 id="shortcuts-title">Keyboard shortcuts</h2><dl class="keys"></dl>
    <label class="check"><input type="checkbox"> <span>Use these shortcuts</span></label>
    <p class="actions"><button class="button primary" type="button">Close</button></p></div>`;
  for (const [key, what] of keys) {
    const row = document.createElement("div");
    row.innerHTML = "<dt><kbd></kbd></dt><dd></dd>";
    row.querySelector("kbd").textContent = key;
    row.querySelector("dd").textContent = what;
    dialog.querySelector("dl").append(row);
  }
  const choice = dialog.querySelector("input");
  choice.checked = !off();
  choice.addEventListener("change", () => {
    try {
      if (choice.checked) localStorage.removeItem(slot);
      else localStorage.setItem(slot, "off");
    } catch {
      say("This browser doesn’t let the site keep that.");
    }
  });
  const button = dialog.querySelector("button");
  button.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal(); // it restores the focus when it closes
  button.focus();
}

// step moves to the next or previous post in a list.
function step(by) {
  const links = [...document.querySelectorAll("[data-list] .card-link, [data-list] .entry-text h2 a")];
  const at = links.findIndex((a) => a.closest("li").contains(document.activeElement));
  links[at < 0 && by < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
}

function press(selector) {
  document.querySelector(selector)?.click();
}

function focus(selector) {
  const field = document.querySelector(selector);
  field?.focus();
  field?.scrollIntoView({ block: "center" });
}
