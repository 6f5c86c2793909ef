import { say, toLogin } from "./say.js";

// enhance makes the Token lab live: buttons answer without leaving the page, the
// tokens' time runs down, and the session is told as it changes.
export function enhance(lab) {
  let stream = listen(lab);
  let busy = false;

  setInterval(() => lab.querySelectorAll("[data-expires]").forEach(countDown), 500);

  lab.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    const form = event.target;
    const button = form.querySelector("button");
    button.setAttribute("aria-busy", "true");
    say("The lab is at work.");
    try {
      const answer = await fetch(form.action, { method: "POST", headers: { Accept: "text/html" } });
      if (new URL(answer.url).pathname === "/login") return toLogin();
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-lab]");
      if (!next) return say(`That did not work (${answer.status}). Try again.`);
      stream?.close();
      lab.replaceChildren(...next.childNodes);
      stream = listen(lab);
      const title = lab.querySelector("#result-title");
      if (title) {
        title.focus({ preventScroll: true });
        title.scrollIntoView({ block: "start" });
        say(`Done. ${lab.querySelectorAll(".lab-findings .held").length} of ${lab.querySelectorAll(".lab-findings li").length} findings hold.`, true);
      } else {
        say("A session has started.", true);
      }
    } catch {
      say("That did not reach the server. Try again.");
    } finally {
      button.removeAttribute("aria-busy");
      busy = false;
    }
  });
}

// countDown writes how long a token still lives.
function countDown(element) {
  const left = Math.max(0, Math.ceil((new Date(element.dataset.expires) - Date.now()) / 1000));
  const text = left ? `${left} s left` : "has run out";
  if (element.textContent !== text) element.textContent = text;
  element.classList.toggle("out", !left);
}

// listen follows the session that the page shows, if it shows one.
function listen(lab) {
  const timeline = lab.querySelector("[data-timeline]");
  if (!timeline) return null;
  const stream = new EventSource("/token-lab/events");
  stream.addEventListener("session", (event) => {
    const session = JSON.parse(event.data);
    timeline.replaceChildren(...session.timeline.map(line));
    if (session.over) stream.close();
  });
  return stream;
}

function line({ at, text, kind }) {
  const item = document.createElement("li");
  item.className = `lab-${kind}`;
  const time = document.createElement("span");
  time.textContent = at;
  item.append(time, " " + text);
  return item;
}
