/** A brush that says where to paint. The canvas holds the mask at the photo's size, red where it is white. */

import { upload } from "./api.js";
import { byId, say, tell } from "./dom.js";
import { change, state } from "./state.js";

const LONGEST = 1600;
const STEPS = 20;
const canvas = () => byId("canvas");
let past = [];
let cursor = null;

/** Listens to brush and buttons. */
export function openMask() {
  byId("mask-open").addEventListener("click", begin);
  byId("mask-cancel").addEventListener("click", end);
  byId("mask-use").addEventListener("click", use);
  byId("mask-drop").addEventListener("click", () => change({ mask: null }));
  byId("mask-undo").addEventListener("click", undo);
  byId("mask-clear").addEventListener("click", () => remembered((paper) => paper.clearRect(0, 0, canvas().width, canvas().height)));
  byId("mask-invert").addEventListener("click", () => remembered(invert));
  const paper = canvas();
  paper.addEventListener("pointerdown", start);
  paper.addEventListener("pointermove", go);
  for (const name of ["pointerup", "pointercancel"]) paper.addEventListener(name, () => { cursor = null; });
  paper.addEventListener("keydown", byKeys);
}

async function begin() {
  const photo = new Image();
  photo.src = state.photo.url;
  await photo.decode();
  const share = Math.min(1, LONGEST / Math.max(photo.naturalWidth, photo.naturalHeight));
  Object.assign(canvas(), { width: Math.round(photo.naturalWidth * share), height: Math.round(photo.naturalHeight * share) });
  canvas().style.setProperty("--shape", String(photo.naturalWidth / photo.naturalHeight));
  canvas().style.backgroundImage = `url("${state.photo.url}")`;
  past = [];
  if (state.mask) await take(state.mask);
  shown(true);
  canvas().focus();
}

function end() {
  shown(false);
  byId("mask-open").focus();
}

function shown(on) {
  byId("mask").hidden = !on;
  byId("wall").hidden = on;
  byId("tools").hidden = on;
}

/** An earlier mask, as red on nothing. */
async function take(mask) {
  const picture = new Image();
  picture.src = mask.url;
  await picture.decode();
  const paper = pen();
  paper.drawImage(picture, 0, 0, canvas().width, canvas().height);
  const image = paper.getImageData(0, 0, canvas().width, canvas().height);
  for (let i = 0; i < image.data.length; i += 4) image.data.set([224, 60, 40, image.data[i]], i);
  paper.putImageData(image, 0, 0);
}

const pen = () => canvas().getContext("2d", { willReadFrequently: true });

function remembered(act) {
  past.push(pen().getImageData(0, 0, canvas().width, canvas().height));
  past = past.slice(-STEPS);
  act(pen());
}

function undo() {
  const before = past.pop();
  if (before) pen().putImageData(before, 0, 0);
}

function invert(paper) {
  const image = paper.getImageData(0, 0, canvas().width, canvas().height);
  for (let i = 0; i < image.data.length; i += 4) image.data.set([224, 60, 40, 255 - image.data[i + 3]], i);
  paper.putImageData(image, 0, 0);
}

function where(event) {
  const box = canvas().getBoundingClientRect();
  const share = canvas().width / box.width;
  return { x: (event.clientX - box.left) * share, y: (event.clientY - box.top) * share, share };
}

function start(event) {
  event.preventDefault();
  canvas().setPointerCapture(event.pointerId);
  cursor = where(event);
  remembered((paper) => dab(paper, cursor, cursor));
}

function go(event) {
  if (!cursor) return;
  const next = where(event);
  dab(pen(), cursor, next);
  cursor = next;
}

/** Round spots along the way, soft at their edge. */
function dab(paper, from, to) {
  const radius = (Number(byId("brush").value) / 2) * to.share;
  const hard = 1 - Number(byId("soft").value) / 100;
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const count = Math.max(1, Math.ceil(length / (radius / 3)));
  paper.globalCompositeOperation = byId("erase").checked ? "destination-out" : "source-over";
  for (let n = 0; n <= count; n += 1) {
    const [x, y] = [from.x + ((to.x - from.x) * n) / count, from.y + ((to.y - from.y) * n) / count];
    const ink = paper.createRadialGradient(x, y, radius * hard * 0.98, x, y, radius);
    ink.addColorStop(0, "rgba(224, 60, 40, 1)");
    ink.addColorStop(1, "rgba(224, 60, 40, 0)");
    paper.fillStyle = ink;
    paper.beginPath();
    paper.arc(x, y, radius, 0, 2 * Math.PI);
    paper.fill();
  }
  paper.globalCompositeOperation = "source-over";
}

let spot = null;

/** Arrow keys move a spot, Space paints it. */
function byKeys(event) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const share = canvas().width / canvas().getBoundingClientRect().width;
  spot ??= { x: canvas().width / 2, y: canvas().height / 2, share };
  if (way) spot = { x: spot.x + way[0] * 12 * share, y: spot.y + way[1] * 12 * share, share };
  else if (event.key === " ") remembered((paper) => dab(paper, spot, spot));
  else return;
  event.preventDefault();
  const part = (value, whole) => Math.round((100 * value) / whole);
  say(`${part(spot.x, canvas().width)} percent across, ${part(spot.y, canvas().height)} percent down`);
}

/** White on black, as the server wants it. */
async function use() {
  const sheet = document.createElement("canvas");
  Object.assign(sheet, { width: canvas().width, height: canvas().height });
  const paper = sheet.getContext("2d");
  const image = pen().getImageData(0, 0, sheet.width, sheet.height);
  if (!image.data.some((value, i) => i % 4 === 3 && value > 8)) {
    tell("The mask is empty: brush over what is to be painted, or leave it as it was.");
    return;
  }
  for (let i = 0; i < image.data.length; i += 4) {
    const white = image.data[i + 3];
    image.data.set([white, white, white, 255], i);
  }
  paper.putImageData(image, 0, 0);
  const blob = await new Promise((done) => { sheet.toBlob(done, "image/png"); });
  try {
    const mask = await upload(new File([blob], "mask.png", { type: "image/png" }), "mask");
    tell("");
    end();
    change({ mask });
    say("The mask is in use");
  } catch (error) { tell(error.message); }
}

/** A painted picture with the photo where the mask is black. @returns {Promise<Blob>} */
export async function masked(blob, photo, mask) {
  const painted = await createImageBitmap(blob);
  const [before, white] = await Promise.all([photo, mask].map(async ({ url }) => {
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    return picture;
  }));
  const sheet = document.createElement("canvas");
  const [width, height] = [painted.width, painted.height];
  Object.assign(sheet, { width, height });
  const paper = sheet.getContext("2d", { willReadFrequently: true });
  const read = (picture) => { paper.drawImage(picture, 0, 0, width, height); return paper.getImageData(0, 0, width, height); };
  const [below, above, share] = [read(before), read(painted), read(white)];
  for (let i = 0; i < below.data.length; i += 1) {
    if (i % 4 < 3) below.data[i] += ((above.data[i] - below.data[i]) * share.data[i - (i % 4)]) / 255;
  }
  paper.putImageData(below, 0, 0);
  return new Promise((done) => { sheet.toBlob(done, "image/png"); });
}
