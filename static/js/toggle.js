import { say, toLogin } from "./say.js";

// enhance submits a toggle button without leaving the page. The button changes immediately, and changes back if the
// server refuses. The form's attributes are the URL to send to (data-toggle), and the names in the response of the
// state (data-is) and of the count next to it (data-counts).
export function enhance(form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    toggle(form);
  });
}

// toggle does that for a form, which may have been added later.
export async function toggle(form) {
  const { toggle: address, is, counts } = form.dataset;
  const button = form.querySelector("button");
  const count = form.querySelector("[data-count]");
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";

  const show = (on, n) => {
    button.setAttribute("aria-pressed", String(on));
    form.action = `${address}?_method=${on ? "DELETE" : "PUT"}`;
    if (!count) return;
    count.dataset.count = n;
    count.textContent = short(n);
  };

  const on = button.getAttribute("aria-pressed") === "true";
  const n = Number(count?.dataset.count ?? 0);
  show(!on, n + (on ? -1 : 1));
  try {
    const answer = await fetch(address, { method: on ? "DELETE" : "PUT", headers: { Accept: "application/json" }, keepalive: true }); // even if the user leaves the page
    if (answer.status === 401) return toLogin();
    const body = await answer.json();
    if (!answer.ok) {
      show(on, n);
      return say(body.message);
    }
    show(body.data[is], body.data[counts]);
    say(body.message, true);
  } catch {
    show(on, n);
    say("Couldn’t reach the server. Try again.");
  } finally {
    form.ariaBusy = "false";
  }
}

// short formats a count as the pages do: 999, 1.2K, 15K, 3.4M.
export function short(n) {
  for (const [size, name] of [[1e9, "B"], [1e6, "M"], [1e3, "K"]]) {
    if (n < size) continue;
    const tenths = Math.floor((n * 10) / size);
    return (tenths >= 100 ? Math.floor(tenths / 10) : tenths / 10) + name;
  }
  return String(n);
}
