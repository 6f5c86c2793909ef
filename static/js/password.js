// enhance adds a button that shows the typed password.
export function enhance(input) {
  const box = document.createElement("div");
  box.className = "with-button";
  input.replaceWith(box);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "icon-button";
  box.append(input, button);

  const use = document.querySelector(".theme-auto use").getAttribute("href").split("#")[0];
  const show = (shown) => {
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
    button.innerHTML = `<svg class="icon" aria-hidden="true" focusable="false"><use></use></svg><span class="visually-hidden"></span>`;
    button.querySelector("use").setAttribute("href", `${use}#${shown ? "eye-off" : "eye"}`);
    button.querySelector("span").textContent = "Show password";
  };
  button.addEventListener("click", () => show(input.type === "password"));
  input.form.addEventListener("submit", () => show(false));
  show(false);
}
