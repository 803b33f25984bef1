/** Small things that every part of the page does. */

/** @returns {any} the element of this id */
export const byId = (id) => document.getElementById(id);

/** Makes an element: make("li", {className: "x"}, child, "text"). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && !name.includes("-") && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A button that does something. */
export function button(text, className, onClick, attributes = {}) {
  const made = make("button", { type: "button", className, ...attributes }, text);
  made.addEventListener("click", onClick);
  return made;
}

/** Says something to whoever listens rather than looks. */
export function say(text) { byId("status").textContent = text; }

/** Shows one line of trouble where it belongs, or takes it away. */
export function tell(text, where = "trouble") {
  const line = byId(where);
  line.textContent = text || "";
  line.hidden = !text;
}

/** A line under the picture, with something that can be done about it. Without a text it goes. */
export function notice(text, label = "", act = () => {}) {
  const place = byId("notice");
  place.hidden = !text;
  if (!text) return place.replaceChildren();
  const away = () => notice("");
  return place.replaceChildren(
    make("p", {}, text),
    label ? button(label, "button", () => { away(); act(); }) : "",
    button("Close", "button plain", away));
}

/** Seconds in words. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 1.5) return "a second";
  if (seconds < 90) return `${Math.round(seconds)} seconds`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes`;
  return `${(seconds / 3600).toFixed(1)} hours`;
}

/** Whether somebody asked for less movement. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** A slider's thread is coloured up to its bead. */
export function fill(slider) {
  const share = (slider.value - slider.min) / (slider.max - slider.min || 1);
  slider.style.setProperty("--full", `${(100 * share).toFixed(1)}%`);
}

/** A picture, loaded. @returns {Promise<HTMLImageElement>} */
export async function loaded(url) {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  return picture;
}

/** waterlilies.jpg -> waterlilies */
export const stem = (name) => name.replace(/\.[A-Za-z0-9]{1,5}$/, "");
