/** Light or dark: as the system has it, until somebody says otherwise. */

import { byId } from "./dom.js";

const KEY = "impasto-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
let chosen = null;

/** Listens to the button and the system. */
export function openTheme() {
  try { chosen = localStorage.getItem(KEY); } catch { /* a browser that keeps nothing */ }
  draw();
  system.addEventListener("change", draw);
  byId("theme").addEventListener("click", () => {
    chosen = isDark() ? "light" : "dark";
    try { localStorage.setItem(KEY, chosen); } catch { /* for this visit, then */ }
    draw();
  });
}

const isDark = () => (chosen || (system.matches ? "dark" : "light")) === "dark";

function draw() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  byId("sun").toggleAttribute("hidden", !isDark());
  byId("moon").toggleAttribute("hidden", isDark());
  byId("theme").setAttribute("aria-label", `Change to ${isDark() ? "light" : "dark"} colours`);
}
