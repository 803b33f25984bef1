/** Light or dark: as the system has it, until somebody says otherwise. */

import { byId } from "./dom.js";

const KEY = "impasto-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** Listens to the button and the system. */
export function openTheme() {
  draw();
  system.addEventListener("change", draw);
  byId("theme").addEventListener("click", () => {
    localStorage.setItem(KEY, isDark() ? "light" : "dark");
    draw();
  });
}

const isDark = () => (localStorage.getItem(KEY) || (system.matches ? "dark" : "light")) === "dark";

function draw() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  byId("theme").textContent = isDark() ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", `Change to ${isDark() ? "light" : "dark"} colours`);
}
