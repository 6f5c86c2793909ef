import { say, toLogin } from "./say.js";
import { goTo, takeFrame } from "./frame.js";
import { clearErrors, showErrors } from "./errors.js";
import { keep } from "./keep.js";

const pages = { video: "/watch/", photo: "/photos/", text: "/posts/" };

// enhance sends the form with progress and a way to stop it, and for a video
// takes a picture from it.
export function enhance(form) {
  const box = form.querySelector("[data-progress]");
  const bar = box.querySelector("progress");
  const text = box.querySelector("[data-progress-text]");
  const submit = form.querySelector("button[type=submit]");
  const frame = videoFrame(form);
  let request;

  const busy = (on) => {
    box.hidden = !on;
    submit.disabled = on;
    form.toggleAttribute("aria-busy", on);
  };
  const progress = (part) => {
    bar.value = part;
    text.textContent = part < 1 ? `Uploading: ${Math.floor(part * 100)} %` : "Processing …";
  };

  // Back may show this page as it was left: sending.
  addEventListener("pageshow", (event) => { if (event.persisted) busy(false); });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearErrors(form);
    const data = new FormData(form);
    const given = data.get("thumbnail");
    if (given && !given.size) {
      data.delete("thumbnail");
      if (frame.picture) data.append("thumbnail", frame.picture, "frame.jpg");
    }
    request = new XMLHttpRequest();
    request.open("POST", form.getAttribute("action"));
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (e) => { if (e.lengthComputable) progress(e.loaded / e.total); });
    request.addEventListener("load", () => {
      if (request.status === 401) {
        keep(form);
        return toLogin();
      }
      const answer = request.response;
      if (request.status < 300 && answer?.data) {
        form.elements.idempotencyKey.value = crypto.getRandomValues(new Uint32Array(4)).join("-"); // who comes back makes another one
        return location.assign(pages[answer.data.kind] + answer.data._id);
      }
      busy(false);
      showErrors(form, answer?.message || "The upload failed. Try again.", answer?.errors || []);
    });
    request.addEventListener("error", () => {
      busy(false);
      showErrors(form, "The upload was interrupted. Check your connection and try again.", []);
    });
    request.addEventListener("abort", () => { busy(false); say("Upload cancelled. Nothing was saved."); submit.focus(); });
    progress(0);
    busy(true);
    box.querySelector("[data-cancel]").focus();
    request.send(data);
  });
  box.querySelector("[data-cancel]").addEventListener("click", () => request?.abort());
}

// videoFrame watches the video field; its picture is what goes along when the
// user chooses none.
function videoFrame(form) {
  const frame = { picture: null };
  const input = form.elements.videoFile;
  if (!input) return frame;
  const preview = input.closest("[data-drop]").querySelector("[data-preview]");

  const take = async (video) => {
    frame.picture = await takeFrame(video);
    showFrame(form.elements.thumbnail, frame.picture);
  };
  input.addEventListener("change", async () => {
    frame.picture = null;
    const file = input.files[0];
    await new Promise((done) => setTimeout(done)); // files.js makes the preview on the same event
    const video = preview.querySelector("video");
    if (!file || !video) return;
    try {
      await goTo(video, 1);
      await take(video);
    } catch {
      say("This browser can’t preview the video, but you can still upload it.");
      return;
    }
    if (input.files[0] === file) preview.append(frameButton(() => take(video)));
  });
  return frame;
}

// showFrame shows the picture taken from the video where a chosen one would be.
function showFrame(input, picture) {
  if (!picture || input.files.length) return;
  const preview = input.closest("[data-drop]").querySelector("[data-preview]");
  const image = document.createElement("img");
  image.alt = "The frame used as the thumbnail";
  image.src = URL.createObjectURL(picture);
  image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
  preview.replaceChildren(image);
  preview.hidden = false;
}

function frameButton(take) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.textContent = "Use this frame as the thumbnail";
  button.addEventListener("click", async () => {
    await take();
    say("This frame is now the thumbnail.");
  });
  return button;
}
