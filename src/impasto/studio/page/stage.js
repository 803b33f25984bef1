/** The picture: before and after, zoom, tiles. */

import { byId } from "./dom.js";

const PAGE = 10;
let at = 0;
let held = null; // the address of a picture that only this page has

/** Listens to the divider and the zoom. */
export function openStage() {
  const handle = byId("handle");
  handle.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -PAGE, PageUp: PAGE, Home: -100, End: 100 }[event.key];
    if (way === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    divide(at + way);
  });
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
    handle.focus();
  });
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const box = byId("frame").getBoundingClientRect();
    divide(((event.clientX - box.left) / box.width) * 100);
  });
  for (const radio of document.querySelectorAll("[name=zoom]")) {
    radio.addEventListener("change", () => byId("easel").classList.toggle("full", radio.value === "full" && radio.checked));
  }
  byId("tile").addEventListener("change", () => tiled(byId("tile").checked));
  byId("after").addEventListener("load", fitFrame);
  window.addEventListener("resize", fitFrame);
  drag(byId("easel"));
}

/** Shows a picture, over the photo where there is one. */
export function show({ photo = null, after = null, blob = null, download = null, label = "" }) {
  if (held) URL.revokeObjectURL(held);
  held = blob ? URL.createObjectURL(blob) : null;
  const source = held || after;
  const nothing = !source && !photo;
  byId("empty").hidden = !nothing;
  byId("easel").hidden = nothing;
  byId("tools").hidden = nothing;
  byId("before").hidden = !photo;
  byId("handle").hidden = !photo || !source;
  if (photo) byId("before").src = photo.url;
  byId("before").alt = photo ? `The photo ${photo.name}` : "";
  const picture = byId("after");
  picture.hidden = !source;
  picture.alt = label;
  if (source && picture.getAttribute("src") !== source) picture.src = source;
  if (!source) picture.removeAttribute("src");
  const link = byId("download");
  link.hidden = !download;
  if (download) link.href = download;
  byId("frame").classList.toggle("single", !photo || !source);
  fitFrame();
}

/** Whether a texture may be laid two by two, and if so, is. */
export function offerTiles(offered) {
  byId("tile-part").hidden = !offered;
  tiled(offered && byId("tile").checked);
}

function tiled(on) {
  byId("tiles").hidden = !on;
  byId("easel").hidden = on || (!byId("after").hasAttribute("src") && !byId("before").hasAttribute("src"));
  byId("tiles").style.backgroundImage = on ? `url("${byId("after").src}")` : "";
}

/** Moves the divider to a percentage; left of it is the photo. */
function divide(to) {
  at = Math.max(0, Math.min(100, Math.round(to)));
  byId("frame").style.setProperty("--at", String(at));
  byId("handle").setAttribute("aria-valuenow", String(at));
  byId("handle").setAttribute("aria-valuetext", `photo ${at} percent, painting ${100 - at} percent`);
}

/** The frame has the picture's shape and fits the wall, so that both pictures lie on each other. */
function fitFrame() {
  const picture = byId("after").hidden ? byId("before") : byId("after");
  if (!picture.naturalWidth) return picture.addEventListener("load", fitFrame, { once: true });
  const frame = byId("frame");
  frame.style.setProperty("--ratio", `${picture.naturalWidth} / ${picture.naturalHeight}`);
  frame.style.setProperty("--wide", `${picture.naturalWidth}px`);
  frame.style.setProperty("--shape", String(picture.naturalWidth / picture.naturalHeight));
  return undefined;
}

/** At 1:1 the picture follows the pointer. */
function drag(easel) {
  let from = null;
  easel.addEventListener("pointerdown", (event) => {
    if (!easel.classList.contains("full") || event.target.id === "handle" || event.pointerType === "touch") return;
    from = { x: event.clientX + easel.scrollLeft, y: event.clientY + easel.scrollTop };
    easel.setPointerCapture(event.pointerId);
  });
  easel.addEventListener("pointermove", (event) => from && easel.scrollTo(from.x - event.clientX, from.y - event.clientY));
  for (const name of ["pointerup", "pointercancel"]) easel.addEventListener(name, () => { from = null; });
}
