/** The ways of painting, each with what it is good at and how long it takes. */

import { byId, make } from "./dom.js";
import { change, state } from "./state.js";

/** Of each mode, what to begin with. */
export const USUAL = { stylize: "fast", texture: "w2", reconstruct: "gatys" };

let methods = [];

/** @param {any[]} told as /api/methods tells them */
export function openMethods(told) {
  methods = told;
  byId("method").addEventListener("change", (event) => change({ method: event.target.value, job: null }));
  byId("method").addEventListener("click", (event) => { // arrow keys click as well, but whoever uses them looks on
    if (event.detail && event.target.name === "method") byId("methods").open = false;
  });
  byId("method").addEventListener("keydown", (event) => {
    if (!["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault(); // Enter would begin to paint
    byId("methods").open = false;
    byId("methods").querySelector("summary").focus();
  });
}

/** Those that do what the present mode asks for. */
const fitting = () => methods.filter((method) => state.mode === "stylize" || method.texture);

/** Whether a method is here, is installed, and does what a mode asks for. */
export const fits = (name, mode) => methods.some((method) => method.name === name && method.ready && (mode === "stylize" || method.texture));

/** Draws the list and what it says while it is closed. */
export function drawMethods() {
  const now = methods.find(({ name }) => name === state.method);
  byId("method-name").textContent = called(state.method);
  byId("method-hint").textContent = now ? `${sentence(now.good_at)} ${sentence(now.typical)}` : "";
  const shown = JSON.stringify([state.mode, methods.length]);
  if (byId("method").dataset.shown !== shown) {
    byId("method").dataset.shown = shown;
    const quick = fitting().filter(({ name }) => name === "fast");
    const slow = fitting().filter(({ name }) => name !== "fast");
    byId("method").replaceChildren(make("legend", { className: "unseen" }, "Method"),
      ...quick.map(row), quick.length ? make("p", { className: "group" }, "Step by step: slower, and finer") : "", ...slow.map(row));
  }
  for (const radio of byId("method").querySelectorAll("input")) radio.checked = radio.value === state.method;
}

function row({ name, title, ready, missing, good_at: goodAt, typical, paper }) {
  const radio = make("input", { type: "radio", name: "method", value: name, disabled: !ready, "aria-describedby": `about-${name}` });
  const about = ready ? make("span", { className: "hint", id: `about-${name}` }, `${sentence(goodAt)} ${sentence(typical)}`)
    : make("span", { className: "hint", id: `about-${name}` }, `${sentence(goodAt)} Not installed; `, make("code", {}, missing));
  return make("label", { title: paper }, radio, make("span", { className: "name" }, title), about);
}

/** How a method's paper writes its name. */
export const called = (name) => methods.find((method) => method.name === name)?.title || name;
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
