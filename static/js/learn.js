// Learn remembers, only in this browser, which lessons were opened and in which language the code was read.

const read = (slot) => {
  try {
    return localStorage.getItem(slot) ?? "";
  } catch { // storage is not allowed: nothing is remembered
    return "";
  }
};
const write = (slot, value) => {
  try {
    localStorage.setItem(slot, value);
  } catch { /* storage is full or not allowed */ }
};

// enhance marks the visited lessons in all links on the page.
export function enhance(page) {
  const visited = new Set(read("lessons").split(" ").filter(Boolean));
  if (page.dataset.lesson) {
    visited.add(page.dataset.lesson);
    write("lessons", [...visited].join(" "));
    languages(page);
  }
  const links = [...page.querySelectorAll("[data-visited]")];
  const seen = links.filter((link) => visited.has(link.dataset.visited));
  for (const link of seen) {
    link.classList.add("visited");
    const note = document.createElement("span");
    note.className = "visually-hidden";
    note.textContent = " (visited)";
    link.append(note);
  }
  const count = page.querySelector("[data-visited-count]");
  if (seen.length) count.textContent = page.dataset.lesson ? ` · ${seen.length} visited` : `You have visited ${seen.length} of ${links.length}. Only this browser knows.`;
  page.querySelectorAll("[data-copy]").forEach(copyButton);
}

function languages(page) {
  for (const choice of page.querySelectorAll("input[name=in]")) {
    choice.checked = choice.value === (read("code") || "go");
    choice.addEventListener("change", () => write("code", choice.value));
  }
}

// copyButton copies the whole piece of code, not just its decisive lines.
function copyButton(figure) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "code-copy";
  const name = figure.querySelector("strong").textContent;
  const say = (text) => { button.textContent = text; };
  button.setAttribute("aria-label", `Copy ${name}`);
  say("Copy");
  button.addEventListener("click", async () => {
    const code = figure.querySelector("[data-whole]") ?? figure.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.setAttribute("aria-label", `Copied ${name}`);
      say("Copied");
    } catch {
      say("Not allowed");
    }
    setTimeout(() => { say("Copy"); button.setAttribute("aria-label", `Copy ${name}`); }, 2000);
  });
  figure.querySelector("figcaption").append(button);
}
