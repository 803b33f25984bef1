/** A mask, brushed over the photo: where it is painted, the painting will be. */

import { upload } from "./api.js";
import { blank, grey, invert, isEmpty, stroke, tinted } from "./brush.js";
import { button, byId, fill, loaded, make, say, tell } from "./dom.js";
import { change, state } from "./state.js";

/** Pixels at which one brushes; the mask is brought to the photo's size in the end. */
const LONGEST = 1024;
const UNDOS = 30;
const TINT = [214, 48, 24];
const SHARE = 0.62;
const STRIDE = 12;

/** Where what is brushed is kept, for a page that is loaded anew; milliseconds after a stroke. */
const KEY = "impasto-mask";
const SOON = 300;

let plane = null;
let keeping = 0;
let past = [];
let last = null;
let spot = null;
let onShown = () => {};

/** Builds the brush's tools. @param {(on: boolean) => void} callback told when brushing begins and ends */
export function openMask(callback) {
  onShown = callback;
  byId("mask-open").addEventListener("click", begin);
  addEventListener("pagehide", () => keeping && keep());
  byId("mask-drop").addEventListener("click", () => { change({ mask: null }); byId("mask-open").focus(); });
  byId("mask").append(
    make("div", { className: "brushes" }, slide("brush", "Brush", 4, 200, 60), slide("soft", "Soft edge", 0, 100, 40),
      make("label", { className: "check" }, make("input", { type: "checkbox", id: "erase" }), "Erase"),
      button("Undo", "button plain", undo, { id: "mask-undo" }),
      button("Invert", "button plain", () => remembered(invert), { id: "mask-invert" }),
      button("Clear", "button plain", () => remembered((paper) => paper.data.fill(0)), { id: "mask-clear" }),
      make("div", { className: "last" }, button("Cancel", "button", end, { id: "mask-cancel" }), button("Use this mask", "button main", use, { id: "mask-use" }))),
    make("p", { className: "hint", id: "mask-help" }, "Brush over what is to be painted. By keyboard: arrow keys move the brush, Space paints, the brackets change its size, Escape leaves."),
    make("p", { className: "trouble", id: "mask-trouble", role: "alert", hidden: true }));
}

function slide(id, text, min, max, value) {
  const box = make("input", { type: "range", id });
  Object.assign(box, { min, max });
  box.value = value;
  fill(box);
  box.addEventListener("input", () => { fill(box); drawRing(); });
  return make("div", { className: "slide" }, make("label", { htmlFor: id }, text), box);
}

async function begin() {
  const { photo, mask } = state;
  const paper = sheetFor(photo);
  const picture = mask && await loaded(mask.url).catch(() => null); // it may have been deleted
  if (picture) take(picture, paper);
  open(photo, paper, picture || !mask ? "" : "The mask cannot be loaded; this one begins empty.");
}

function sheetFor(photo) {
  const share = Math.min(1, LONGEST / Math.max(photo.width, photo.height));
  return blank(Math.max(1, Math.round(photo.width * share)), Math.max(1, Math.round(photo.height * share)));
}

/** Goes on with what was brushed when the page went away. */
export async function resumeMask() {
  const { photo } = state;
  try {
    const told = JSON.parse(sessionStorage.getItem(KEY));
    if (!told || told.photo !== photo?.id) { forgetKept(); return; }
    const bytes = Uint8Array.from(atob(told.png), (one) => one.charCodeAt(0));
    const paper = sheetFor(photo);
    take(await createImageBitmap(new Blob([bytes], { type: "image/png" })), paper);
    open(photo, paper, "");
  } catch { forgetKept(); }
}

/** Keeps what is brushed now. */
function keep() {
  clearTimeout(keeping);
  keeping = 0;
  if (!plane) return;
  const png = painted().toDataURL("image/png").split(",")[1];
  try { sessionStorage.setItem(KEY, JSON.stringify({ photo: state.photo.id, png })); } catch { /* a browser that keeps nothing */ }
}

function forgetKept() {
  clearTimeout(keeping);
  keeping = 0;
  try { sessionStorage.removeItem(KEY); } catch { /* nothing is kept */ }
}

function open(photo, paper, trouble) {
  if (plane || state.photo !== photo || state.mode !== "stylize") return; // much can be clicked while it loads
  plane = paper;
  past = [];
  spot = null;
  const canvas = make("canvas", { id: "canvas", width: plane.width, height: plane.height, tabIndex: 0, role: "application",
    "aria-label": "Brush the mask here", "aria-describedby": "mask-help" });
  byId("frame").append(canvas, make("div", { className: "ring", id: "ring", hidden: true }));
  listen(canvas);
  onShown(true);
  byId("mask").hidden = false;
  tell(trouble, "mask-trouble");
  draw();
  canvas.focus();
}

/** Whether somebody brushes now. */
export const brushing = () => plane !== null;

/** Leaves it as it was. */
export function end() {
  if (!plane) return;
  plane = null;
  forgetKept();
  byId("canvas").remove();
  byId("ring").remove();
  byId("mask").hidden = true;
  onShown(false);
  byId("mask-open").focus();
}

/** An earlier mask, to go on with. */
function take(picture, { data, width, height }) {
  const sheet = make("canvas", { width, height }).getContext("2d");
  sheet.drawImage(picture, 0, 0, width, height);
  const read = sheet.getImageData(0, 0, width, height).data;
  data.forEach((_, n) => { data[n] = read[4 * n]; });
}

function listen(canvas) {
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    last = where(event);
    remembered((paper) => stroke(paper, last, last, brush()));
  });
  canvas.addEventListener("pointermove", (event) => {
    spot = where(event);
    drawRing();
    if (!last) return;
    drawChange(stroke(plane, last, spot, brush()));
    last = spot;
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { last = null; });
  canvas.addEventListener("pointerleave", () => { byId("ring").hidden = true; });
  canvas.addEventListener("focus", drawRing);
  canvas.addEventListener("keydown", byKeys);
}

/** Pixels of the plane in one of the page. */
const scale = () => plane.width / (byId("canvas").getBoundingClientRect().width || 1);
const brush = () => ({ radius: (Number(byId("brush").value) / 2) * scale(), soft: Number(byId("soft").value) / 100, erase: byId("erase").checked });

function where(event) {
  const box = byId("canvas").getBoundingClientRect();
  return { x: (event.clientX - box.left) * scale(), y: (event.clientY - box.top) * scale() };
}

function remembered(act) {
  past.push(plane.data.slice());
  past = past.slice(-UNDOS);
  act(plane);
  drawChange();
}

function undo() {
  const before = past.pop();
  if (!before) { say("There is nothing to undo"); return; }
  plane.data.set(before);
  drawChange();
}

function draw(part = { x: 0, y: 0, width: plane.width, height: plane.height }) {
  if (part.width && part.height) byId("canvas").getContext("2d").putImageData(tinted(plane, TINT, SHARE, part), part.x, part.y);
  byId("mask-undo").disabled = !past.length;
}

function drawChange(part) {
  draw(part);
  keeping ||= setTimeout(keep, SOON);
}

function drawRing() {
  const ring = byId("ring");
  if (!plane || !ring) return;
  spot ??= { x: plane.width / 2, y: plane.height / 2 };
  const wide = Number(byId("brush").value);
  ring.hidden = false;
  Object.assign(ring.style, { width: `${wide}px`, height: `${wide}px`, left: `${spot.x / scale() - wide / 2}px`, top: `${spot.y / scale() - wide / 2}px` });
}

/** Arrow keys move the brush, Space paints, brackets change its size. */
function byKeys(event) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const larger = { "[": -8, "]": 8 }[event.key];
  spot ??= { x: plane.width / 2, y: plane.height / 2 };
  if (way) {
    const step = STRIDE * scale();
    spot = { x: Math.max(0, Math.min(plane.width, spot.x + way[0] * step)), y: Math.max(0, Math.min(plane.height, spot.y + way[1] * step)) };
    say(`${Math.round((100 * spot.x) / plane.width)} percent across, ${Math.round((100 * spot.y) / plane.height)} percent down`);
  } else if (larger) {
    byId("brush").value = Number(byId("brush").value) + larger;
    fill(byId("brush"));
  } else if (event.key === " ") remembered((paper) => stroke(paper, spot, spot, brush()));
  else if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
  else if (event.key === "Escape") { end(); return; } else return;
  event.preventDefault();
  drawRing();
}

/** The plane as a picture. */
function painted() {
  const sheet = make("canvas", { width: plane.width, height: plane.height });
  sheet.getContext("2d").putImageData(grey(plane), 0, 0);
  return sheet;
}

/** White on black at the photo's size, as the server wants it. */
async function use() {
  const trouble = byId("mask-trouble");
  trouble.hidden = !isEmpty(plane);
  if (isEmpty(plane)) { trouble.textContent = "The mask is empty: brush over what is to be painted, or cancel."; return; }
  const small = painted();
  const sheet = make("canvas", { width: state.photo.width, height: state.photo.height });
  sheet.getContext("2d").drawImage(small, 0, 0, sheet.width, sheet.height);
  const blob = await new Promise((done) => { sheet.toBlob(done, "image/png"); });
  byId("mask-use").disabled = true;
  try {
    const mask = await upload(new File([blob], "mask.png", { type: "image/png" }), "mask");
    end();
    change({ mask });
    say("The mask is in use");
  } catch (error) {
    trouble.textContent = error.message;
    trouble.hidden = false;
  } finally { byId("mask-use").disabled = false; }
}
