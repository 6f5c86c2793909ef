const side = 512; // size in pixels of the picture to upload, at least as large as what the site stores

// enhance lets the user crop a picture to a square. If they don't, the site uses the middle, as it does without
// scripts.
export function enhance(input) {
  const field = input.closest(".field");
  const preview = field.querySelector("[data-preview]");
  let box;
  let pending; // the picture being created

  input.addEventListener("change", async () => {
    box?.remove();
    const file = input.files[0];
    const image = file && await load(file);
    if (!image || input.files[0] !== file) return;
    preview.hidden = true; // the cropper already shows it
    box = cropper(image, (canvas) => {
      const made = new Promise((done) => canvas.toBlob(done, "image/png")).then((blob) => {
        if (pending !== made) return;
        pending = null;
        const one = new DataTransfer();
        one.items.add(new File([blob], "picture.png", { type: "image/png" }));
        input.files = one.files;
      });
      pending = made;
    });
    preview.after(box);
  });

  input.form.addEventListener("submit", (event) => {
    if (!pending) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    pending.then(() => input.form.requestSubmit(event.submitter));
  }, { capture: true });
}

// load returns the picture, or null if this browser can't display it.
async function load(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

// cropper is the square with its controls: sliders, which also work with the keyboard, and dragging the picture itself.
function cropper(image, changed) {
  const box = document.createElement("div");
  box.className = "crop";
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The part of the picture that is used");
  box.append(canvas);
  const zoom = slider(box, "Zoom", 1, 4, 1);
  const across = slider(box, "Left to right", 0, 1, 0.5);
  const down = slider(box, "Top to bottom", 0, 1, 0.5);

  const cut = () => Math.min(image.naturalWidth, image.naturalHeight) / zoom.value;
  const draw = () => {
    const size = cut();
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, side, side);
    context.drawImage(image, (image.naturalWidth - size) * across.value, (image.naturalHeight - size) * down.value, size, size, 0, 0, side, side);
  };
  box.addEventListener("input", draw);
  box.addEventListener("change", (event) => {
    event.stopPropagation();
    changed(canvas);
  });

  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    const scale = cut() / canvas.clientWidth;
    move(across, event.movementX * scale, image.naturalWidth - cut());
    move(down, event.movementY * scale, image.naturalHeight - cut());
    draw();
  });
  canvas.addEventListener("pointerup", () => changed(canvas));
  draw();
  return box;
}

function move(range, by, room) {
  if (room > 0) range.value = Number(range.value) - by / room;
}

function slider(box, name, min, max, value) {
  const label = document.createElement("label");
  const range = document.createElement("input");
  Object.assign(range, { type: "range", min, max, step: 0.01, value });
  label.append(name + " ", range);
  box.append(label);
  return range;
}
