// Which module enhances which elements. A module is only fetched if the page has such an element.
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

// enhance enhances a page, or a part that was added later.
export function enhance(root) {
  // The site reports all faults at once; a browser would show one at a time.
  root.querySelectorAll("form.form").forEach((form) => { form.noValidate = true; });
  for (const [selector, module] of modules) {
    const found = root.querySelectorAll(selector);
    if (found.length) import(module).then((m) => found.forEach(m.enhance));
  }
}
