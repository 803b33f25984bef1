/** Small things that every part of the page does. */

/** @returns {any} the element of this id */
export const byId = (id) => document.getElementById(id);

/** Makes an element: make("li", {className: "x"}, child, "text"). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && !name.startsWith("aria")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Says something to whoever listens rather than looks. */
export function say(text) { byId("status").textContent = text; }

/** Shows one line of trouble, or takes it away. */
export function tell(text, where = "trouble") {
  const line = byId(where);
  line.textContent = text || "";
  line.hidden = !text;
}

/** Seconds in words. */
export function span(seconds) {
  if (seconds == null) return "";
  if (seconds < 1.5) return "a second";
  if (seconds < 90) return `${Math.round(seconds)} seconds`;
  return `${Math.round(seconds / 60)} minutes`;
}

/** Files out of a drop or a paste. @returns {File[]} */
export function picturesIn(transfer) {
  return [...(transfer?.files || [])].filter((file) => file.type.startsWith("image/") || /\.(heic|avif|tiff?)$/i.test(file.name));
}

/** Makes an element take drops. */
export function takesDrops(element, onFiles) {
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("over");
  });
  for (const name of ["dragleave", "drop"]) element.addEventListener(name, () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    onFiles(picturesIn(event.dataTransfer));
  });
}
