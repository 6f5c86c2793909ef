import { enhance as enhanceAll } from "./enhance.js";
import { say } from "./say.js";

// enhance changes the kind of a new post without leaving the page. Typed text is kept, and each form comes back as it
// was left, including the chosen file.
export function enhance(nav) {
  const forms = new Map();
  const button = (kind) => nav.querySelector(`[data-kind="${kind}"]`);
  let form = document.getElementById("post-form");
  let current = nav.querySelector("[aria-current]").dataset.kind;

  const show = (kind, next) => {
    carry(form, next);
    forms.set(current, form);
    form.replaceWith(next);
    button(current).removeAttribute("aria-current");
    button(kind).setAttribute("aria-current", "page");
    form = next;
    current = kind;
    history.replaceState(history.state, "", `/create?kind=${kind}`);
    say(`New ${button(kind).textContent.trim().toLowerCase()}`, true);
  };

  nav.addEventListener("click", async (event) => {
    const kind = event.target.closest("[data-kind]")?.dataset.kind;
    if (!kind) return;
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return say("Cancel the upload first.");
    if (kind === current) return;
    try {
      show(kind, forms.get(kind) || await fetchForm(kind));
    } catch {
      say("Couldn’t reach the server. Try again.");
    }
  });
}

async function fetchForm(kind) {
  const address = `/create?kind=${kind}`;
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const form = page.getElementById("post-form");
  if (!form) throw new Error("the login, or an error");
  const box = document.createElement("div");
  box.append(document.adoptNode(form));
  enhanceAll(box);
  return form;
}

// carry copies values into the fields that both forms have.
function carry(from, to) {
  for (const input of from.elements) {
    const same = to.elements[input.name];
    if (!same || input.type === "file" || input.name === "idempotencyKey") continue;
    if (input.type !== "radio") same.value = input.value;
    else if (input.checked) same.value = input.value; // selects the same option of the group
  }
}
