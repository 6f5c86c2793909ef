// The start of all scripts: every page works without them; each module makes
// one thing more pleasant and is fetched only where that thing is.

import { themeButton } from "./theme-button.js";
import { menu } from "./menu.js";
import { arrive, keepSent } from "./keep.js";

themeButton(document.querySelector("[data-theme-button]"));
menu(document.querySelector("[data-menu]"));
arrive();
keepSent();

for (const [selector, module] of [
  ["[data-toggle]", "./toggle.js"],
  ["[data-save]", "./save.js"],
  ["[data-watch]", "./watch.js"],
  ["[data-comments]", "./comments.js"],
  ["[data-more]", "./more.js"],
  ["[data-drop]", "./files.js"],
  ["[data-upload]", "./upload.js"],
  ["input[type=password]", "./password.js"],
  ["input[name=next]", "./next.js"],
  ["[data-lab]", "./lab.js"],
  ["[data-editor]", "./editor.js"],
  ["[data-decoder]", "./decoder.js"],
  ["[data-learn], [data-lesson]", "./learn.js"],
]) {
  const found = document.querySelectorAll(selector);
  if (found.length) import(module).then((m) => found.forEach(m.enhance));
}
