/** How the wall is looked at: fitted, at one to one, moved, and divided into before and after. */

import { byId, calm } from "./dom.js";

const MARGIN = 28;
const NARROW = 600;
/** How often a small picture is enlarged to fit, and how far one can go in. */
const ENLARGED = 3;
const DEEPEST = 8;
const MOVE = 40;
const NEAR = 4;
const WIPE = 900;

/** Pixels of the picture; where it hangs; null while it is fitted. */
let size = null;
let place = { x: 0, y: 0, width: 0, height: 0 };
let wide = null;
let at = 0;
let divided = false;
let wiping = 0;

/** Listens to pointers, keys and the window. @param {(full: boolean) => void} onZoom */
export function openView(onZoom) {
  onZoomed = onZoom;
  const wall = byId("wall");
  new ResizeObserver(() => hang()).observe(wall);
  wall.addEventListener("keydown", (event) => event.target === wall && keys(event, onZoom));
  byId("handle").addEventListener("keydown", slide);
  wall.addEventListener("dblclick", (event) => { if (size) { zoom(wide ? null : oneToOne(), spot(event)); onZoom(Boolean(wide)); } });
  wall.addEventListener("wheel", (event) => {
    if (!event.ctrlKey || !size) return; // without it the page scrolls, as everywhere
    event.preventDefault();
    zoom((wide || place.width) * Math.exp(-event.deltaY / 200), spot(event));
    onZoom(Boolean(wide));
  }, { passive: false });
  openPointers(wall, onZoom);
}

/** Hangs a picture of this size; when it is another shape, fitted. @param {{width: number, height: number}|null} told */
export function hangSize(told) {
  const same = size && told && Math.abs(size.width / size.height - told.width / told.height) < 0.02;
  size = told;
  if (!same && wide !== null) { wide = null; onZoomed(false); }
  hang();
}

let onZoomed = () => {};

/** Whether there is something on either side. */
export function setDivided(on) {
  divided = on;
  hang();
}

/** Fits the picture, or shows each of its pixels on one of the screen's. */
export function setFull(full) { zoom(full ? oneToOne() : null); }

const oneToOne = () => size.width / devicePixelRatio;

/** Moves the divider to a percentage of what can be seen; left of it is the photo. */
export function divide(to) {
  cancelAnimationFrame(wiping);
  wiping = 0;
  at = Math.max(0, Math.min(100, to));
  drawDivider();
}

/** The painting is drawn over the photo, from the left: nobody misses that there are two. */
export function wipe() {
  if (calm()) { divide(0); return; }
  const begun = performance.now();
  const go = (now) => {
    const share = Math.min(1, Math.max(0, (now - begun) / WIPE));
    divide(100 * (1 - share) ** 3);
    if (share < 1) wiping = requestAnimationFrame(go);
  };
  divide(100);
  wiping = requestAnimationFrame(go);
}

function fitted() {
  const wall = byId("wall");
  const margin = wall.clientWidth < NARROW ? MARGIN / 2 : MARGIN;
  return Math.min(wall.clientWidth - 2 * margin, (wall.clientHeight - 2 * margin) * (size.width / size.height), size.width * ENLARGED);
}

/** Zooms to a width in pixels of the page, null to fit, around a place that stays where it is. */
function zoom(to, around = { x: byId("wall").clientWidth / 2, y: byId("wall").clientHeight / 2 }) {
  if (!size) return;
  const least = fitted();
  const next = to === null ? null : Math.min(Math.max(to, Math.min(least, oneToOne())), Math.max(least, size.width * DEEPEST));
  const share = (next ?? least) / place.width;
  place.x = around.x - (around.x - place.x) * share;
  place.y = around.y - (around.y - place.y) * share;
  wide = next;
  hang();
}

/** Puts the frame where it belongs. */
function hang() {
  const wall = byId("wall");
  if (!size || !wall.clientWidth) return;
  const width = wide ?? fitted();
  const height = (width * size.height) / size.width;
  const within = (value, whole, part) => (part <= whole ? (whole - part) / 2 : Math.min(0, Math.max(whole - part, value)));
  place = { width, height, x: within(place.x, wall.clientWidth, width), y: within(place.y, wall.clientHeight, height) };
  const frame = byId("frame");
  Object.assign(frame.style, { left: `${place.x}px`, top: `${place.y}px`, width: `${width}px`, height: `${height}px` });
  frame.classList.toggle("large", width > size.width * 2.5 && wide !== null);
  wall.classList.toggle("zoomed", wide !== null);
  drawDivider();
}

function drawDivider() {
  const [wall, handle] = [byId("wall"), byId("handle")];
  handle.hidden = !divided;
  byId("after").style.clipPath = "";
  if (!divided) return;
  const [left, right] = [Math.max(0, place.x), Math.min(wall.clientWidth, place.x + place.width)];
  const [top, bottom] = [Math.max(0, place.y), Math.min(wall.clientHeight, place.y + place.height)];
  const line = left + ((right - left) * at) / 100;
  byId("after").style.clipPath = `inset(0 0 0 ${Math.max(0, line - place.x)}px)`;
  const begin = Math.max(0, Math.min(wall.clientWidth - 44, line - 22));
  Object.assign(handle.style, { left: `${begin}px`, top: `${top}px`, height: `${bottom - top}px` });
  handle.style.setProperty("--edge-at", `${line - begin}px`);
  handle.setAttribute("aria-valuenow", String(Math.round(at)));
  handle.setAttribute("aria-valuetext", `photo ${Math.round(at)} percent, painting ${100 - Math.round(at)} percent`);
}

function slide(event) {
  const way = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 }[event.key];
  if (way === undefined) return;
  event.preventDefault();
  divide((wiping ? 0 : Math.round(at)) + way); // whoever does not wait for the wipe begins where it ends
}

function keys(event, onZoom) {
  if (!size || event.ctrlKey || event.metaKey || event.altKey) return;
  const way = { ArrowLeft: [MOVE, 0], ArrowRight: [-MOVE, 0], ArrowUp: [0, MOVE], ArrowDown: [0, -MOVE] }[event.key];
  const to = { "+": place.width * 1.25, "=": place.width * 1.25, "-": place.width / 1.25, 0: null, 1: oneToOne() }[event.key];
  if (way && wide !== null) { place.x += way[0]; place.y += way[1]; hang(); } else if (to !== undefined) zoom(to); else return;
  event.preventDefault();
  onZoom(wide !== null);
}

function spot(event) {
  const box = byId("wall").getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

/** One pointer divides a fitted picture and moves a zoomed one; two pinch. */
function openPointers(wall, onZoom) {
  const held = new Map();
  let from = null;
  wall.addEventListener("pointerdown", (event) => {
    if (!size || wall.classList.contains("masking") || event.button || event.target.closest(".empty")) return;
    held.set(event.pointerId, spot(event));
    from = { ...spot(event), place: { ...place }, onHandle: event.target.id === "handle", moved: false };
    if (from.onHandle) { event.preventDefault(); byId("handle").focus(); }
  });
  wall.addEventListener("pointermove", (event) => {
    if (!held.has(event.pointerId)) return;
    const [others, now] = [[...held].filter(([id]) => id !== event.pointerId).map(([, one]) => one), spot(event)];
    const before = held.get(event.pointerId);
    held.set(event.pointerId, now);
    if (others.length) return pinch(others[0], before, now);
    from.moved ||= Math.hypot(now.x - from.x, now.y - from.y) > NEAR;
    if (!from.moved) return undefined;
    if (!wall.hasPointerCapture(event.pointerId)) wall.setPointerCapture(event.pointerId);
    return from.onHandle || wide === null ? divideAt(now) : moveBy(now);
  });
  for (const name of ["pointerup", "pointercancel"]) wall.addEventListener(name, (event) => { held.delete(event.pointerId); wall.classList.remove("held"); });
  const divideAt = ({ x }) => {
    if (!divided) return;
    const [left, right] = [Math.max(0, place.x), Math.min(wall.clientWidth, place.x + place.width)];
    divide((100 * (x - left)) / (right - left));
  };
  const moveBy = ({ x, y }) => {
    wall.classList.add("held");
    Object.assign(place, { x: from.place.x + x - from.x, y: from.place.y + y - from.y });
    hang();
  };
  const pinch = (other, before, now) => {
    const share = Math.hypot(now.x - other.x, now.y - other.y) / (Math.hypot(before.x - other.x, before.y - other.y) || 1);
    zoom((wide || place.width) * share, { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    onZoom(wide !== null);
  };
}
