/** The loss, step by step, on a logarithmic scale; a new scale of the picture begins a new stroke. */

const WIDE = 400;
const HIGH = 90;
const EDGE = 4;

/** @param {SVGElement} svg @param {{step: number, loss: number, width: number}[]} losses */
export function drawCurve(svg, losses) {
  const seen = losses.filter(({ loss }) => loss > 0);
  svg.toggleAttribute("hidden", seen.length < 2);
  if (seen.length < 2) return;
  const logs = seen.map(({ loss }) => Math.log(loss));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const [from, to] = [seen[0].step, seen.at(-1).step];
  const x = (step) => EDGE + ((step - from) / Math.max(1, to - from)) * (WIDE - 2 * EDGE);
  const y = (log) => EDGE + ((high - log) / Math.max(1e-9, high - low)) * (HIGH - 2 * EDGE);
  const parts = seen.map(({ step, width }, n) => `${n && width === seen[n - 1].width ? "L" : "M"}${x(step).toFixed(1)} ${y(logs[n]).toFixed(1)}`);
  svg.querySelector("path").setAttribute("d", parts.join(""));
  const first = seen[0].loss;
  const last = seen.at(-1).loss;
  svg.setAttribute("aria-label", `Loss: from ${first.toPrecision(3)} to ${last.toPrecision(3)} after ${to} steps`);
}
