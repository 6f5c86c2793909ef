// Which module makes what more pleasant. It is fetched only where that thing is.
const modules = [
  ["[data-toggle]", "./toggle.js"],
  ["[data-save]", "./save.js"],
  ["[data-watch]", "./watch.js"],
  ["[data-comments]", "./comments.js"],
  ["[data-list] [data-remove]", "./remove.js"],
  ["[data-list] [data-move]", "./move.js"],
  ["[data-more]", "./more.js"],
  ["[data-share]", "./share.js"],
  ["[data-bell]", "./bell.js"],
  ["[data-shortcuts]", "./shortcuts.js"],
  ["input[name=avatar]", "./crop.js"],
  ["[data-drop]", "./files.js"],
  ["[data-upload]", "./upload.js"],
  ["[data-kinds]", "./kinds.js"],
  ["input[type=password]", "./password.js"],
  ["input[name=next]", "./next.js"],
  ["[data-passkey]", "./passkey.js"],
  ["[data-lab]", "./lab.js"],
  ["[data-editor]", "./editor.js"],
  ["[data-decoder]", "./decoder.js"],
  ["[data-learn], [data-lesson]", "./learn.js"],
];

// enhance adds what scripts can to a page, or to a part that came into it later.
export function enhance(root) {
  // The site tells all faults at once, where a browser would show one after the other.
  root.querySelectorAll("form.form").forEach((form) => { form.noValidate = true; });
  for (const [selector, module] of modules) {
    const found = root.querySelectorAll(selector);
    if (found.length) import(module).then((m) => found.forEach(m.enhance));
  }
}
