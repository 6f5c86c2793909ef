const names = { auto: "automatic", light: "light", dark: "dark" };
const next = { auto: "light", light: "dark", dark: "auto" };

// themeButton switches from automatic to light to dark, and stores the choice.
export function themeButton(button) {
  if (!button) return;
  const root = document.documentElement;
  const label = button.querySelector("[data-theme-label]");
  let theme = root.dataset.theme || "auto";

  const show = () => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    label.textContent = `Theme: ${names[theme]}. Change to ${names[next[theme]]}`;
    button.title = `Theme: ${names[theme]}`;
  };
  button.addEventListener("click", () => {
    theme = next[theme];
    try {
      if (theme === "auto") localStorage.removeItem("theme");
      else localStorage.setItem("theme", theme);
    } catch { /* shown, but not stored */ }
    show();
  });
  show();
}
