import { say, send } from "./say.js";

// enhance moves an item of a list up or down in place. If its neighbor is on another page of the list, the form is
// submitted normally.
export function enhance(form) {
  form.addEventListener("submit", async (event) => {
    const item = form.closest("[data-list] > *");
    const up = form.elements.direction.value === "up";
    const other = up ? item.previousElementSibling : item.nextElementSibling;
    if (!other) return;
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    try {
      const answer = await send(form);
      if (!answer) return;
      if (answer.ok) {
        if (up) other.before(item);
        else other.after(item);
        form.querySelector("button").focus();
      }
      say(answer.body.message);
    } catch {
      say("Couldn’t reach the server. Try again.");
    } finally {
      form.ariaBusy = "false";
    }
  });
}
