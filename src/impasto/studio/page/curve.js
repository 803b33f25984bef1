/** The loss, step by step, on a logarithmic scale; a new scale of the picture begins a new stroke. */

const WIDE = 240;
const HIGH = 56;
const EDGE = 3;

/** @param {HTMLElement} figure @param {{step: number, loss: number, width: number}[]} losses */
export function drawCurve(figure, losses) {
  const seen = losses.filter(({ loss }) => loss > 0);
  figure.hidden = seen.length < 2;
  if (figure.hidden) return;
  const logs = seen.map(({ loss }) => Math.log(loss));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const [from, to] = [seen[0].step, seen.at(-1).step];
  const x = (step) => EDGE + ((step - from) / Math.max(1, to - from)) * (WIDE - 2 * EDGE);
  const y = (log) => EDGE + ((high - log) / Math.max(1e-9, high - low)) * (HIGH - 2 * EDGE);
  const begins = (n) => n === 0 || seen[n].width !== seen[n - 1].width;
  const parts = seen.map(({ step }, n) => `${begins(n) ? "M" : "L"}${x(step).toFixed(1)} ${y(logs[n]).toFixed(1)}`);
  figure.querySelector("path").setAttribute("d", parts.join(""));
  const [first, last] = [seen[0].loss, seen.at(-1).loss].map(short);
  figure.querySelector("svg").setAttribute("aria-label", `Loss: from ${first} at step ${from} to ${last} at step ${to}`);
  figure.querySelector("figcaption").textContent = `Loss ${last}`;
}

/** Three digits that can be read. */
const short = (value) => (value >= 1000 || value < 0.001 ? value.toExponential(2) : value.toPrecision(3));
