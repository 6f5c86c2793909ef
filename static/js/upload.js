import { say, tell, toLogin } from "./say.js";
import { goTo, takeFrame } from "./frame.js";
import { clearErrors, showErrors } from "./errors.js";
import { keep } from "./keep.js";

const pages = { video: "/watch/", photo: "/photos/", text: "/posts/" };

// From this size on (bytes), the text is sent first without the files: nobody should wait for an upload to learn that a
// title is missing.
const large = 1 << 20;

// enhance sends the form with a progress bar and a way to cancel, and for a video captures a thumbnail from it.
export function enhance(form) {
  const box = form.querySelector("[data-progress]");
  const bar = box.querySelector("progress");
  const text = box.querySelector("[data-progress-text]");
  const submit = form.querySelector("button[type=submit]");
  const frame = videoFrame(form);
  let request;

  const stay = (event) => event.preventDefault(); // makes the browser ask before leaving
  const busy = (on) => {
    box.hidden = !on;
    submit.disabled = on;
    form.toggleAttribute("aria-busy", on);
    if (on) addEventListener("beforeunload", stay);
    else removeEventListener("beforeunload", stay);
  };
  const progress = (part) => {
    bar.value = part;
    text.textContent = part < 1 ? `Uploading: ${Math.floor(part * 100)}%` : "Processing …";
  };

  // Going back may show this page as it was left, still sending.
  addEventListener("pageshow", (event) => { if (event.persisted) busy(false); });

  const refuse = (message, errors = []) => {
    busy(false);
    showErrors(form, message, errors);
  };
  const answered = (status, answer) => {
    if (status === 401) {
      busy(false);
      keep(form);
      return toLogin();
    }
    if (status >= 300 || !answer?.data) return refuse(answer?.message || "The upload failed. Try again.", answer?.errors);
    busy(false);
    form.elements.idempotencyKey.value = crypto.getRandomValues(new Uint32Array(4)).join("-"); // the user who returns creates another post
    tell(answer.message);
    location.assign(pages[answer.data.kind] + answer.data._id);
  };
  const send = (data, done) => {
    request = new XMLHttpRequest();
    request.open("POST", form.getAttribute("action"));
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (e) => { if (e.lengthComputable) progress(e.loaded / e.total); });
    request.addEventListener("load", () => done(request.status, request.response));
    request.addEventListener("error", () => refuse("The upload was interrupted. Check your connection and try again."));
    request.addEventListener("abort", () => { busy(false); say("Upload cancelled. Nothing was saved."); submit.focus(); });
    request.send(data);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return;
    clearErrors(form);
    const tooLarge = oversized(form);
    if (tooLarge.length) return refuse("", tooLarge);
    const data = withFrame(new FormData(form), frame);
    progress(0);
    busy(true);
    box.querySelector("[data-cancel]").focus();
    const { words, files } = split(data);
    if (!files.some(([, file]) => file.size > large)) return send(data, answered);
    send(words, (status, answer) => {
      const faults = (answer?.errors || []).filter(({ field }) => !files.some(([name]) => name === field)); // files that are yet to be sent
      if (status === 422 && !faults.length) return send(data, answered);
      answered(status, answer && { ...answer, errors: faults });
    });
  });
  box.querySelector("[data-cancel]").addEventListener("click", () => request?.abort());
}

// withFrame adds the thumbnail captured from the video, if none was chosen.
function withFrame(data, frame) {
  const given = data.get("thumbnail");
  if (given && !given.size) {
    data.delete("thumbnail");
    if (frame.picture) data.append("thumbnail", frame.picture, "frame.jpg");
  }
  return data;
}

// split separates the files of a form from its text.
function split(data) {
  const words = new FormData();
  const files = [];
  for (const [name, value] of data) {
    if (typeof value === "string") words.append(name, value);
    else if (value.size) files.push([name, value]);
  }
  return { words, files };
}

// oversized returns the files that are too large for the site.
function oversized(form) {
  return [...form.querySelectorAll("input[type=file][data-max]")]
    .filter((input) => input.files[0]?.size > Number(input.dataset.max))
    .map((input) => ({ field: input.name, message: `This file is larger than ${Math.floor(input.dataset.max / 2 ** 20)} MB.` }));
}

// videoFrame watches the video field; the captured frame is uploaded if the user chooses no thumbnail.
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
    await new Promise((done) => setTimeout(done)); // files.js creates the preview on the same event
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

// showFrame shows the captured frame where a chosen thumbnail would be.
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
