import { say, toLogin } from "./say.js";

// enhance makes the Token lab live: it shows what a button does while it happens, without leaving the page, and counts
// down the tokens' lifetimes.
export function enhance(lab) {
  let stream = listen(lab);
  let busy = false;

  setInterval(() => lab.querySelectorAll("[data-expires], [data-until]").forEach(countDown), 250);
  addEventListener("hashchange", () => arrive(lab));
  arrive(lab);
  if (document.readyState !== "complete") addEventListener("load", () => arrive(lab), { once: true }); // until then, the browser scrolls by itself
  lab.dataset.lab = "live";

  // post sends a form and shows the page in the response.
  async function post(action, body) {
    const answer = await fetch(action, { method: "POST", headers: { Accept: "text/html" }, body });
    if (new URL(answer.url).pathname === "/login") return toLogin();
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-lab]");
    if (!next) return say(`That did not work (${answer.status}). Try again.`);
    stream?.close();
    if (narrow()) next.querySelectorAll("[data-fold]").forEach((part) => { part.open = false; });
    lab.className = next.className;
    lab.replaceChildren(...next.childNodes);
    stream = listen(lab);
    return true;
  }

  lab.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    const form = event.target;
    const title = form.querySelector("button").textContent.trim();
    const body = new URLSearchParams(new FormData(form));
    const isExperiment = form.closest("#experiments");
    form.querySelector("button").setAttribute("aria-busy", "true");
    say("The lab is at work.", true);
    try {
      // The session must exist before anything happens to it, so that it can be watched.
      if (isExperiment && !stream && !await post("/token-lab/session")) return;
      if (isExperiment) await watch(lab, title, stream);
      if (!await post(form.action, body)) return;
      const heading = lab.querySelector("#result-title");
      if (!heading) return say("A session has started.", true);
      heading.focus({ preventScroll: true });
      heading.scrollIntoView({ block: "start" });
      say(`Done. ${lab.querySelectorAll(".lab-findings .held").length} of ${lab.querySelectorAll(".lab-findings li").length} findings hold.`, true);
    } catch {
      say("Couldn't reach the server. Try again.");
    } finally {
      lab.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
      const live = lab.querySelector("[data-live]");
      if (live) live.hidden = true;
      busy = false;
    }
  });
}

const narrow = () => matchMedia("(max-width: 59.99rem)").matches;

// arrive highlights the experiment that the URL names, and adds it to the links to the login page.
function arrive(lab) {
  for (const link of lab.querySelectorAll("a[data-here]")) link.hash = location.hash;
  const named = location.hash && lab.querySelector(`#experiments [id="${CSS.escape(location.hash.slice(1))}"]`);
  if (!named) return;
  if (getComputedStyle(named.closest("#experiments")).display === "none") lab.querySelector("#experiments").showPopover();
  named.scrollIntoView({ block: "center" });
  named.querySelector("button").focus({ preventScroll: true });
}

// watch shows the steps of a run as they happen. It waits until the stream is open, but only for a moment.
async function watch(lab, title, stream) {
  const live = lab.querySelector("[data-live]");
  const steps = live.querySelector("ol");
  const countdown = live.querySelector(".lab-countdown");
  const sheet = lab.querySelector("#experiments");
  if (sheet.matches(":popover-open")) sheet.hidePopover();
  live.querySelector("h2").textContent = title;
  steps.replaceChildren();
  countdown.hidden = true;
  live.hidden = false;
  live.scrollIntoView({ block: "start" });
  stream?.addEventListener("step", (event) => {
    const step = JSON.parse(event.data);
    countdown.hidden = true;
    const item = element("li", step.status ? "lab-step" : "lab-between", step.title + (step.status ? "" : "."));
    if (step.count > 1) item.append(" ", element("span", "lab-count", `× ${step.count}`));
    if (step.status) item.append(" ", element("span", `lab-status ${step.status < 400 ? "good" : "bad"}`, `${step.status} ${step.statusText}`));
    steps.append(item);
  });
  stream?.addEventListener("wait", (event) => {
    const { milliseconds, for: what } = JSON.parse(event.data);
    const bar = element("progress", "", "");
    bar.max = milliseconds;
    bar.setAttribute("aria-label", "Time that has passed");
    const left = element("span", "", "");
    left.dataset.until = Date.now() + milliseconds;
    countdown.replaceChildren("Waiting ", left, ` for ${what}`, bar);
    countdown.hidden = false;
    countDown(left);
    say(`Waiting ${Math.ceil(milliseconds / 1000)} seconds for ${what}.`, true);
  });
  if (stream?.readyState !== EventSource.OPEN) {
    await new Promise((go) => { stream?.addEventListener("open", go); setTimeout(go, stream ? 1500 : 0); });
  }
}

// countDown shows how much time is left.
function countDown(e) {
  const token = e.dataset.expires;
  const left = Math.max(0, (token ? new Date(token) : Number(e.dataset.until)) - Date.now());
  const text = token ? (left ? `${Math.ceil(left / 1000)} s left` : "expired") : `${(left / 1000).toFixed(0)} s`;
  if (e.textContent !== text) e.textContent = text;
  e.classList.toggle("out", !left);
  const bar = e.parentNode.querySelector("progress");
  if (bar) bar.value = bar.max - left;
}

// listen follows the session that the page shows, if there is one.
function listen(lab) {
  const timeline = lab.querySelector("[data-timeline]");
  if (!timeline) return null;
  const stream = new EventSource("/token-lab/events");
  stream.addEventListener("session", (event) => {
    timeline.replaceChildren(...JSON.parse(event.data).timeline.map(line));
  });
  return stream;
}

function line({ at, text, kind }) {
  const item = element("li", `lab-${kind}`, "");
  item.append(element("span", "", at), " " + text);
  return item;
}

function element(name, className, text) {
  const e = document.createElement(name);
  e.className = className;
  e.textContent = text;
  return e;
}
