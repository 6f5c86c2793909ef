const width = 1280; // maximum width of the picture in pixels

// takeFrame captures the video's current frame as a JPEG, or returns null if the browser cannot play the video.
export async function takeFrame(video) {
  if (!video.videoWidth) return null;
  const scale = Math.min(1, width / video.videoWidth);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.86));
}

// goTo waits until the video shows its frame at the given time.
export function goTo(video, seconds) {
  return new Promise((done, failed) => {
    const start = () => {
      video.addEventListener("seeked", () => done(), { once: true });
      video.currentTime = Math.min(seconds, (video.duration || 0) / 3);
    };
    video.addEventListener("error", failed, { once: true });
    if (video.readyState >= 2) start();
    else video.addEventListener("loadeddata", start, { once: true });
  });
}
