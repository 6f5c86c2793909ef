// enhance lets users drop a file on its field, and previews the chosen file.
export function enhance(field) {
  const input = field.querySelector("input[type=file]");
  const preview = field.querySelector("[data-preview]");
  let address;

  const over = (on) => (event) => {
    event.preventDefault();
    field.classList.toggle("over", on);
  };
  field.addEventListener("dragover", over(true));
  field.addEventListener("dragleave", over(false));
  field.addEventListener("drop", (event) => {
    over(false)(event);
    if (!event.dataTransfer.files.length) return;
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    input.files = one.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });

  field.addEventListener("click", (event) => {
    if (!event.target.closest("label, input, button, video, a, .crop")) input.click();
  });

  input.addEventListener("change", () => {
    if (address) URL.revokeObjectURL(address);
    preview.replaceChildren();
    const file = input.files[0];
    preview.hidden = !file;
    if (!file) return;
    address = URL.createObjectURL(file);
    const shown = picture(file, address);
    shown.addEventListener("error", () => broken(preview, shown, file));
    preview.append(shown);
  });
}

// broken says that the browser can't display a file: an empty frame would explain nothing.
function broken(preview, shown, file) {
  if (shown.parentElement !== preview) return; // another file has been chosen since
  const words = document.createElement("p");
  words.className = "hint";
  words.dir = "auto";
  words.textContent = `${file.name}: this browser can’t show a preview. The file may be damaged or of another type.`;
  preview.replaceChildren(words);
}

function picture(file, address) {
  const video = file.type.startsWith("video/");
  const element = document.createElement(video ? "video" : "img");
  element.src = address;
  if (!video) {
    element.alt = "Preview of " + file.name;
    return element;
  }
  element.controls = true;
  element.muted = true;
  element.playsInline = true;
  element.preload = "auto";
  element.setAttribute("aria-label", "Preview of " + file.name);
  return element;
}
