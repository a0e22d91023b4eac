// The colours and the folded menu live on <html>, outside everything that is
// swapped. The server reads the cookie, so there is no flash of the other theme.
import { all, keep, one, read, root } from "./dom.js";

const YEAR = 31536000;

export function startTheme() {
  if (read("crm-menu") === "folded") root.dataset.menu = "folded";
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-theme-set]");
    if (!button) return;
    event.preventDefault();
    setTheme(button.dataset.themeSet);
  });
}

function setTheme(name) {
  const chosen = name === "auto" ? "" : name;
  root.dataset.theme = chosen;
  document.cookie = `crm_theme=${chosen}; path=/; max-age=${chosen ? YEAR : 0}; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  for (const button of all("[data-theme-set]")) button.setAttribute("aria-pressed", String(button.dataset.themeSet === name));
}

export function foldMenu() {
  const folded = root.dataset.menu === "folded";
  root.dataset.menu = folded ? "" : "folded";
  keep("crm-menu", folded ? null : "folded");
  one("#menu a")?.blur();
}
