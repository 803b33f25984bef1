/** Puts the page together: what changes, what is drawn, what is asked. */

import { bound, get, Trouble } from "./api.js";
import { drawBlend } from "./blend.js";
import { byId, make, notice, say, span, stem, tell } from "./dom.js";
import { heading } from "./fields.js";
import { drawGallery, openGallery, styleOf } from "./gallery.js";
import { drawHistory, openHistory, refreshHistory } from "./history.js";
import { paintLive, stopLive, watchLive } from "./live.js";
import { brushing, end as endMask, openMask, resumeMask } from "./mask.js";
import { masked } from "./masked.js";
import { called, drawMethods, fits, openMethods, USUAL } from "./method.js";
import { catchUp, openMissing } from "./missing.js";
import { drawForm, learn, sifted } from "./options.js";
import { complete, isFast, wanted } from "./order.js";
import { drawPhoto, openPhoto } from "./photo.js";
import { openPictures } from "./pictures.js";
import { promise } from "./promise.js";
import { apply, without } from "./restore.js";
import { show, openStage, showBusy } from "./stage.js";
import { change, forgetAll, odd, state, subscribe } from "./state.js";
import { openTheme } from "./theme.js";
import { cancel, leave, order, watch } from "./work.js";

const LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"];
const EMPTY = {
  stylize: ["Hang a photo here", "Drop one, paste one, or choose one. Then click a painting below: a second later it is painted."],
  texture: ["Texture of any size", "Choose a painting or a material below, then press Paint: more of the same kind, as large as you like."],
  reconstruct: ["What a layer remembers", "Give a photo and choose layers: what does the network still know of it, so deep inside?"],
};
let running = false; // whether the job that is looked at is not over
let ordering = null; // what stops the order that is on its way

async function begin() {
  openTheme();
  openStage();
  openMask(masking);
  openPhoto();
  openPictures();
  watchLive(showBusy);
  const [methods, limits] = await Promise.all([get("/api/methods"), get("/api/limits")]);
  byId("privacy").textContent = byId("promise").textContent = promise(limits);
  bound(limits);
  learn(methods);
  const [options, strange] = sifted(state.options);
  if (strange.length || odd.length) change({ options });
  openMethods(methods);
  if (!fits(state.method, state.mode)) change({ method: USUAL[state.mode], job: null });
  listen(); // before whatever else is waited for: what somebody clicks meanwhile counts
  openGallery();
  openMissing(); // before the first list comes: whoever comes back meanwhile asks again
  await catchUp();
  drawAll();
  await openHistory({ open: look, forgotten: (id) => id === state.job && change({ job: null }), gone, back });
  if (state.job) watchJob(state.job); else refresh();
  await resumeMask();
  const left = [...odd, ...strange].map(heading);
  if (left.length) notice(`Some of what this page had kept does not fit and is left out: ${left.join(", ")}.`);
}

function listen() {
  for (const radio of document.querySelectorAll("[name=mode]")) {
    radio.addEventListener("change", () => radio.checked && setMode(radio.value));
  }
  byId("form").addEventListener("submit", (event) => { event.preventDefault(); start(); });
  byId("keep").addEventListener("click", start);
  byId("give-up").addEventListener("click", () => ordering?.abort());
  byId("cancel").addEventListener("click", () => {
    tell("", "stage-trouble");
    cancel().catch((error) => tell(error.message, "stage-trouble"));
  });
  byId("layers").replaceChildren(...LAYERS.map((name) => make("label", {},
    make("input", { type: "checkbox", name: "layer", value: name, "aria-label": name }), make("span", { "aria-hidden": "true" }, name.slice(4).replace("_", ".")))));
  byId("layers").addEventListener("change", () => change({ layers: [...document.querySelectorAll("[name=layer]:checked")].map(({ value }) => value) }));
  byId("statistics").addEventListener("change", (event) => change({ statistics: event.target.checked }));
  for (const name of ["width", "height"]) {
    byId(name).addEventListener("change", ({ target }) => {
      target.value = within(target);
      change({ texture: { ...state.texture, [name]: Number(target.value) } });
    });
  }
  byId("tileable").addEventListener("change", (event) => change({ texture: { ...state.texture, tileable: event.target.checked } }));
  subscribe(onChange);
  byId("modes").disabled = false;
}

/** A side of a texture in pixels, kept within what the field allows. */
const within = ({ value, min, max }) => Math.min(Number(max), Math.max(Number(min), Math.round(Number(value)) || 512));

function setMode(mode) {
  tell("", "rail-trouble");
  const chosen = state.method !== USUAL[state.mode] && fits(state.method, mode); // by somebody, not by the page
  change({ mode, method: chosen ? state.method : USUAL[mode], job: null });
}

/** What somebody changes: a job that is over makes room for the fast method; one that runs is looked at on. */
function onChange(names) {
  notice("");
  if (!ordering) tell("", "form-trouble"); // it was of what was wished for before
  drawAll();
  if (names.has("job")) return state.job ? watchJob(state.job) : refresh();
  const other = ["photo", "mode"].some((name) => names.has(name)) || (isFast() && !ordering);
  if (state.job && other) return change({ job: null });
  if (brushing() && !names.has("photo") && !names.has("mode")) return undefined; // what is brushed is not lost to a slider
  return state.job ? undefined : refresh();
}

/** Nothing is looked at but the materials: painted at once, if the fast method can. */
function refresh() {
  leave();
  running = false;
  endMask();
  tell("", "stage-trouble");
  drawHistory();
  if (isFast() && complete()) return live();
  stopLive();
  const photo = state.mode === "texture" ? null : state.photo;
  byId("keep").hidden = true;
  return show({ photo, title: photo ? stem(photo.name) : "", line: photo ? `${photo.width} × ${photo.height}` : "" });
}

function drawAll() {
  drawPhoto();
  drawGallery();
  drawMethods();
  drawBlend();
  drawForm();
  for (const radio of document.querySelectorAll("[name=mode]")) radio.checked = radio.value === state.mode;
  for (const box of document.querySelectorAll("[name=layer]")) box.checked = state.layers.includes(box.value);
  byId("size-part").hidden = state.mode !== "texture";
  byId("layer-part").hidden = state.mode !== "reconstruct";
  byId("statistics").checked = state.statistics;
  byId("width").value = state.texture.width;
  byId("height").value = state.texture.height;
  byId("tileable").checked = state.texture.tileable;
  byId("mask-state").hidden = !state.mask || state.mode !== "stylize";
  if (state.mask) byId("mask-thumb").src = state.mask.thumbnail;
  byId("mask-open").hidden = state.mode !== "stylize" || !state.photo;
  [byId("empty-title").textContent, byId("empty-hint").textContent] = EMPTY[state.mode];
  byId("empty-photo").hidden = state.mode === "texture";
  drawStart();
}

function drawStart() {
  const missing = [state.mode !== "texture" && !state.photo && "a photo", state.mode !== "reconstruct" && !state.styles.length && "a painting",
    state.mode === "reconstruct" && !state.layers.length && "a layer"].filter(Boolean);
  byId("start-hint").textContent = missing.length ? `Choose ${missing.join(" and ")} first.` : "";
  byId("start").disabled = byId("keep").disabled = missing.length > 0 || ordering !== null;
  byId("go").hidden = isFast(); // it paints at once, and what is to be kept has its button at the picture
}

const after = (ids) => ids.map((id) => stem(styleOf(id)?.name || "a painting")).join(" and ");

/** The fast method, while sliders move. */
function live() {
  const { photo, mask, styles } = state;
  const title = `${stem(photo.name)}, after ${after(styles.map(({ id }) => id))}`;
  const longest = state.options.fast?.size || Math.max(photo.width, photo.height);
  paintLive(wanted, longest, async (blob) => {
    const picture = mask ? await masked(blob, photo, mask) : blob;
    tell("", "stage-trouble");
    await show({ photo, blob: picture, title, line: "A preview, painted at once" });
    byId("keep").hidden = state.job !== null;
    say("Painted anew");
  }, async (error) => { // what hangs there was painted of something else
    if (await catchUp()) return; // with what is left the page goes on
    await show({ photo, title: stem(photo.name) });
    byId("keep").hidden = true;
    tell(error.message, "stage-trouble");
  });
}

/** Orders what is wished for, and watches it. */
async function start() {
  if (ordering || !complete()) return;
  const stop = new AbortController();
  ordering = stop;
  drawStart();
  tell("", "form-trouble");
  const [pressed, give] = [document.activeElement, byId("give-up")];
  try {
    const job = await order(wanted(), (text) => {
      tell(text, "form-trouble");
      if (!give.hidden) return;
      give.hidden = false;
      if (document.activeElement === document.body) give.focus(); // the button that was pressed rests
    }, stop.signal);
    tell("", "form-trouble");
    if (job) { change({ job: job.id }); refreshHistory(); }
  } catch (error) { tell(await catchUp() ? "" : error.message, "form-trouble"); } finally {
    ordering = null;
    give.hidden = true;
    drawStart();
    if (document.activeElement === document.body) (pressed?.checkVisibility() ? pressed : byId("wall")).focus({ preventScroll: true }); // a button that is gone
  }
}

/** Looks at a job of the history again, with its settings. */
async function look(job) {
  try {
    if (state.job === job.id) watchJob(job.id); else notice(without(await apply(job, job.id)));
    scrollTo({ top: 0 });
    byId("wall").focus({ preventScroll: true });
  } catch (error) { tell(error.message, "history-trouble"); }
}

function watchJob(id) {
  stopLive();
  endMask();
  tell("", "stage-trouble");
  byId("keep").hidden = true;
  running = true;
  drawHistory();
  let photo = null;
  let title = "";
  watch(id, {
    onJob: (job) => {
      photo = state.photo?.id === job.content ? state.photo : null;
      title = titleOf(job, photo);
      byId("placard").hidden = false;
      byId("download").hidden = true;
      if (running && job.state !== "done" && !brushing()) show({ photo, title, line: called(job.method) });
    },
    onPreview: (url) => !brushing() && show({ photo, after: url, title, line: "The picture so far" }),
    onEnd: (job) => {
      running = false;
      if (!brushing()) ended(job, photo, title);
      refreshHistory();
    },
    onTrouble: (error) => (error.status === 404 ? change({ job: null }) : tell(error.message, "stage-trouble")),
  });
}

function titleOf(job, photo) {
  const of = photo ? stem(photo.name) : stem(job.label);
  if (job.job === "texture") return `Texture of ${after(job.styles)}`;
  return job.job === "reconstruct" ? `${of}, from ${job.layers.join(", ")}` : `${of}, after ${after(job.styles)}`;
}

function ended(job, photo, title) {
  const { result } = job;
  const told = { done: `Painted in ${span(job.seconds)}`, cancelled: result ? "Stopped; this is the picture so far" : "Stopped before there was a picture", failed: "Failed" }[job.state];
  say(told);
  if (job.state === "failed") tell(job.error, "stage-trouble");
  const line = [called(job.method), result && `${result.width} × ${result.height}`, told].filter(Boolean).join(" · ");
  show(result ? { photo, after: result.url, download: `${result.url}?download=1`, title, line, tiles: job.job === "texture" } : { photo, title, line });
}

/** While the mask is brushed only the photo hangs there; afterwards what was changed meanwhile is painted. */
function masking(on) {
  byId("wall").classList.toggle("masking", on);
  if (on) show({ photo: state.photo, title: stem(state.photo.name) }); // its shape, whatever hung there
  else if (state.job) watchJob(state.job);
  else refresh();
}

function gone(error) {
  tell(error.status ? "This studio asks for your token anew: load the page again to give it." : error.message);
}

function back() {
  tell("");
  say("The studio is back");
  if (!state.job) refresh();
  catchUp();
}

/** Once the studio answers again, the page begins anew; of its own faults it does so only when asked. */
begin().catch((error) => {
  tell(error.message);
  const again = () => get("/api/limits").then(() => location.reload(), () => setTimeout(again, 2000));
  if (error instanceof Trouble) {
    if (!error.status) again();
    return;
  }
  notice("This page could not begin. What it had kept may not fit.", "Forget the settings", () => { forgetAll(); location.reload(); });
  throw error;
});
