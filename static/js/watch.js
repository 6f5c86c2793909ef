// The shortest intervals between saves of the position: while a video plays, and after other events.
const every = 15_000;
const apart = 2_000;

// enhance resumes where the viewer stopped, and saves their position: a few times a minute, when they pause, and when
// they leave.
export function enhance(video) {
  const { watch: address, position } = video.dataset;
  let sent = Number(position);
  let at = 0;
  let stopped = false;

  const send = async (pause) => {
    const now = video.currentTime;
    if (stopped || Date.now() - at < pause || Math.abs(now - sent) < 1) return;
    at = Date.now();
    sent = now;
    try {
      const answer = await fetch(address, {
        method: "PUT", keepalive: true,
        headers: { Accept: "application/json", "Content-Type": "application/json" },
        body: JSON.stringify({ position: now }),
      });
      stopped = answer.status >= 400 && answer.status < 500 && answer.status !== 429;
    } catch {
      // the next request sends the position by then
    }
  };

  const resume = () => {
    const from = Number(position);
    if (from > 1 && from < video.duration * 0.95 && !location.hash) video.currentTime = from;
  };
  if (video.readyState >= HTMLMediaElement.HAVE_METADATA) resume();
  else video.addEventListener("loadedmetadata", resume, { once: true });

  video.addEventListener("timeupdate", () => { if (!video.paused) send(every); });
  video.addEventListener("pause", () => send(apart));
  addEventListener("pagehide", () => send(0));
  document.addEventListener("visibilitychange", () => { if (document.hidden) send(apart); });
}
