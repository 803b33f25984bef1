/** Puts the page together: what changes, what is drawn, what is asked. */

import { get } from "./api.js";
import { byId, make, say, span, tell } from "./dom.js";
import { drawMaterials, openGallery, styleOf } from "./gallery.js";
import { openHistory, refreshHistory } from "./history.js";
import { paintLive, stopLive } from "./live.js";
import { masked, openMask } from "./mask.js";
import { drawForm, knows, learn } from "./options.js";
import { apply } from "./restore.js";
import { offerTiles, openStage, show } from "./stage.js";
import { change, options, state, subscribe } from "./state.js";
import { openTheme } from "./theme.js";
import { cancel, leave, order, watch } from "./work.js";

const LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"];
const EMPTY = {
  stylize: ["A photo and a painting.", "Choose a photo, then click a painting: a second later it is painted."],
  texture: ["A painting, or a material.", "Choose one, then paint: new texture of the same kind, as large as you like."],
  reconstruct: ["A photo, and a layer.", "What does the network still know of the photo, so deep inside? Choose both, then paint."],
};
const IN_FORM = ["mode", "method", "several", "styles", "mask"];
let methods = [];

const isLive = () => state.mode === "stylize" && state.method === "fast" && !state.job;
const complete = () => (state.mode === "texture" || state.photo) && (state.mode === "reconstruct" || state.styles.length > 0);

async function begin() {
  openTheme();
  openStage();
  openMask();
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  byId("privacy").textContent = here
    ? "Pictures do not leave this machine." : "Pictures are sent to the machine that this page comes from, and nowhere else.";
  methods = await get("/api/methods");
  learn(methods);
  if (!methods.some(({ name }) => name === state.method)) change({ method: "fast" });
  listen();
  await openGallery();
  drawAll();
  await openHistory(look);
  if (state.job) watchJob(state.job); else if (isLive() && complete()) live();
}

function listen() {
  for (const radio of document.querySelectorAll("[name=mode]")) {
    radio.addEventListener("change", () => radio.checked && setMode(radio.value));
  }
  byId("method").addEventListener("change", (event) => change({ method: event.target.value, job: null }));
  byId("form").addEventListener("submit", (event) => { event.preventDefault(); start(); });
  byId("keep").addEventListener("click", start);
  byId("cancel").addEventListener("click", () => cancel().catch((error) => tell(error.message)));
  byId("layer").replaceChildren(...LAYERS.map((name) => make("option", { value: name }, name)));
  byId("layer").addEventListener("change", (event) => change({ layer: event.target.value }));
  byId("statistics").addEventListener("change", (event) => change({ statistics: event.target.checked }));
  for (const name of ["width", "height"]) {
    byId(name).addEventListener("change", (event) => change({ texture: { ...state.texture, [name]: Number(event.target.value) } }));
  }
  byId("tileable").addEventListener("change", (event) => change({ texture: { ...state.texture, tileable: event.target.checked } }));
  subscribe(onChange);
}

function setMode(mode) {
  const fits = (method) => mode === "stylize" || methods.find(({ name }) => name === method)?.texture;
  const usual = { stylize: "fast", texture: "w2", reconstruct: "gatys" }[mode];
  change({ mode, method: fits(state.method) ? state.method : usual, job: null });
}

function onChange(names) {
  if (names.has("job")) return state.job ? undefined : afterJob();
  if (IN_FORM.some((name) => names.has(name)) || names.has("options") === false) drawAll();
  if (state.job && ["photo", "styles", "method", "mode"].some((name) => names.has(name))) change({ job: null });
  else if (isLive()) refreshLive();
  return undefined;
}

/** Nothing is looked at any more: back to the materials. */
function afterJob() {
  leave();
  byId("work").hidden = true;
  drawAll();
  refreshLive();
}

function refreshLive() {
  if (isLive() && complete()) return live();
  stopLive();
  if (!state.job) show({ photo: state.mode === "texture" ? null : state.photo });
  return undefined;
}

function drawAll() {
  drawMaterials();
  for (const radio of document.querySelectorAll("[name=mode]")) radio.checked = radio.value === state.mode;
  const fitting = methods.filter((method) => state.mode === "stylize" || method.texture);
  byId("method").replaceChildren(...fitting.map(({ name, ready }) => make("option", { value: name, selected: name === state.method, disabled: !ready }, ready ? name : `${name} (not installed)`)));
  const method = methods.find(({ name }) => name === state.method);
  const missing = fitting.find(({ ready }) => !ready)?.missing;
  byId("method-hint").textContent = `${method.good_at}; ${method.typical}.${missing ? ` For the others: ${missing}` : ""}`;
  byId("size-part").hidden = state.mode !== "texture";
  byId("layer-part").hidden = state.mode !== "reconstruct";
  byId("layer").value = state.layer;
  byId("statistics").checked = state.statistics;
  byId("width").value = state.texture.width;
  byId("height").value = state.texture.height;
  byId("tileable").checked = state.texture.tileable;
  byId("mask-state").hidden = !state.mask || state.mode !== "stylize";
  if (state.mask) byId("mask-thumb").src = state.mask.thumbnail;
  byId("mask-open").hidden = state.mode !== "stylize" || !state.photo;
  [byId("empty-title").textContent, byId("empty-hint").textContent] = EMPTY[state.mode];
  byId("start").textContent = isLive() ? "Keep at full size" : "Paint";
  byId("start").disabled = !complete();
  drawBlend();
  drawForm();
}

function drawBlend() {
  const shown = state.mode !== "reconstruct" && state.styles.length > 1;
  byId("blend").replaceChildren(...(shown ? state.styles : []).map(({ id, weight }, n) => {
    const box = make("input", { type: "range", min: 0, max: 3, step: 0.05, id: `blend-${n}` });
    box.value = weight;
    box.addEventListener("input", () => {
      state.styles[n].weight = Number(box.value); // without a new form under the pointer
      if (isLive()) refreshLive();
    });
    box.addEventListener("change", () => change({ styles: structuredClone(state.styles) }));
    return make("div", { className: "field" }, make("label", { htmlFor: box.id, className: "field-name" }, styleOf(id)?.name || "Painting"), box);
  }));
}

/** What is wished for, in the API's words. */
function wanted() {
  const told = { job: state.mode, method: state.method, options: { ...options() } };
  if (state.mode !== "texture") told.content = state.photo.id;
  if (state.mode !== "reconstruct") told.styles = state.styles.map(({ id }) => id);
  if (state.mode !== "reconstruct" && state.styles.length > 1) told.options.blend = state.styles.map(({ weight }) => weight);
  if (state.mode === "stylize" && state.mask && knows(state.method, "mask")) told.options.mask = [state.mask.id];
  if (state.mode === "texture") Object.assign(told, { size: { width: state.texture.width, height: state.texture.height }, tileable: state.texture.tileable });
  if (state.mode === "reconstruct") Object.assign(told, { layers: [state.layer], statistics: state.statistics });
  return told;
}

function live() {
  paintLive(wanted, async (blob) => {
    const { mask, photo } = state;
    const picture = mask ? await masked(blob, photo, mask) : blob;
    if (!isLive()) return;
    tell("", "form-trouble");
    show({ photo, blob: picture, label: "The photo, painted" });
    byId("keep").hidden = false;
    say("Painted");
  }, (error) => tell(error.message, "form-trouble"));
}

async function start() {
  byId("start").disabled = true;
  tell("", "form-trouble");
  try {
    const job = await order(wanted());
    change({ job: job.id });
    watchJob(job.id);
    refreshHistory();
    byId("stage").scrollIntoView({ block: "nearest" });
  } catch (error) {
    tell(error.after ? `${error.message} (again in ${span(error.after)})` : error.message, "form-trouble");
    byId("form-trouble").scrollIntoView({ block: "nearest" });
  } finally { byId("start").disabled = !complete(); }
}

/** From the history: the picture, and how it was made. */
async function look(job) {
  await apply(job);
  change({ job: job.id });
  watchJob(job.id);
}

function watchJob(id) {
  stopLive();
  byId("keep").hidden = true;
  offerTiles(false);
  const photo = state.mode === "texture" ? null : state.photo;
  show({ photo });
  watch(id, {
    onPreview: (url) => show({ photo, after: url, label: "The picture so far" }),
    onEnd: (job) => { ended(job, photo); refreshHistory(); },
    onTrouble: (error) => (error.status === 404 ? change({ job: null }) : tell(error.message)),
  });
}

function ended(job, photo) {
  if (job.result) {
    show({ photo, after: job.result.url, download: `${job.result.url}?download=1`, label: `${job.label}, by ${job.method}` });
    offerTiles(job.job === "texture");
  }
  const told = { done: `Painted in ${span(job.seconds)}`, cancelled: job.result ? "Stopped; this is the picture so far" : "Stopped", failed: job.error };
  say(told[job.state]);
  tell(job.state === "failed" ? job.error : "", "form-trouble");
}

begin().catch((error) => tell(error.message));
