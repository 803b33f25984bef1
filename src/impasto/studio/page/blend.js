/** How much of each painting, when there are several. */

import { byId, fill, make } from "./dom.js";
import { styleOf } from "./gallery.js";
import { change, state } from "./state.js";

const MOST = 2;
let drawn = "";

/** Draws a slider for each chosen painting; not anew while one of them moves. */
export function drawBlend() {
  const shown = state.mode !== "reconstruct" && state.styles.length > 1;
  byId("blend").hidden = !shown;
  const now = shown ? state.styles.map(({ id }) => id + Boolean(styleOf(id))).join() : "";
  if (now !== drawn) {
    drawn = now;
    byId("blend").replaceChildren(...(shown ? state.styles.map(row) : []));
  }
  if (shown) drawShares();
}

function row({ id, weight }, n) {
  const style = styleOf(id);
  const box = make("input", { type: "range", id: `blend-${n}`, min: 0, max: MOST, step: 0.05 });
  box.value = weight;
  box.addEventListener("input", () => {
    const styles = state.styles.map((one, m) => (m === n ? { ...one, weight: Number(box.value) } : one));
    if (styles.some((one) => one.weight > 0)) change({ styles });
    else box.value = state.styles[n].weight; // nothing of everything is no painting
  });
  const label = make("label", { htmlFor: box.id, className: "field-name" }, style?.name || "Painting", make("output", { htmlFor: box.id }));
  return make("div", { className: "weight" }, make("img", { src: style?.thumbnail || "", alt: "" }), label, box);
}

function drawShares() {
  const whole = state.styles.reduce((sum, { weight }) => sum + weight, 0) || 1;
  byId("blend").querySelectorAll("input").forEach((box, n) => {
    const { weight } = state.styles[n];
    if (document.activeElement !== box) box.value = weight;
    const share = `${Math.round((100 * weight) / whole)} %`;
    box.parentElement.querySelector("output").value = share;
    box.setAttribute("aria-valuetext", share);
    fill(box);
  });
}
