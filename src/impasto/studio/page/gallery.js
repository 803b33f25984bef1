/** Photo and paintings: chosen, dropped, pasted, uploaded, deleted. */

import { get, remove, upload } from "./api.js";
import { byId, make, picturesIn, say, takesDrops, tell } from "./dom.js";
import { restore } from "./restore.js";
import { change, state } from "./state.js";

let styles = [];

/** Reads the list of paintings and listens to whoever brings more. */
export async function openGallery() {
  byId("photo-file").addEventListener("change", (event) => takePhoto([...event.target.files]));
  byId("style-file").addEventListener("change", (event) => takePaintings([...event.target.files]));
  byId("example").addEventListener("click", takeExample);
  byId("several").checked = state.several;
  byId("several").addEventListener("change", (event) => several(event.target.checked));
  takesDrops(byId("photo-drop"), takePhoto);
  takesDrops(byId("paintings-part"), takePaintings);
  takesDrops(document.body, (files) => (state.photo ? takePaintings(files) : takePhoto(files)));
  document.addEventListener("paste", (event) => {
    const files = picturesIn(event.clipboardData);
    if (files.length) (state.photo && state.mode === "stylize" ? takePaintings : takePhoto)(files);
  });
  await refresh();
  await forgetMissing();
}

/** What a name or id stands for, if it is still there. */
export const styleOf = (id) => styles.find((style) => style.id === id);

/** Draws photo and paintings as they are chosen now. */
export function drawMaterials() {
  const { photo } = state;
  byId("photo-part").hidden = state.mode === "texture";
  byId("paintings-part").hidden = state.mode === "reconstruct";
  byId("photo-thumb").hidden = !photo;
  if (photo) byId("photo-thumb").src = photo.thumbnail;
  byId("photo-name").textContent = photo ? `${photo.name} · ${photo.width} × ${photo.height}` : "Drop a photo, or paste one";
  byId("gallery").replaceChildren(...styles.map(swatch));
}

async function refresh() {
  styles = await get("/api/styles");
  drawMaterials();
}

/** A photo or a painting that was deleted meanwhile is chosen no longer. */
async function forgetMissing() {
  const left = state.styles.filter(({ id }) => styleOf(id));
  if (left.length < state.styles.length) change({ styles: left });
  for (const name of ["photo", "mask"]) {
    if (state[name]) await get(`/api/pictures/${state[name].id}`).catch((error) => error.status === 404 && change({ [name]: null }));
  }
}

function swatch(style) {
  const chosen = state.styles.some(({ id }) => id === style.id);
  const button = make("button", { type: "button", className: "swatch", "aria-pressed": String(chosen) },
    make("img", { src: style.thumbnail, alt: "", loading: "lazy", width: 96, height: 96 }), make("span", {}, style.name));
  button.addEventListener("click", () => choose(style.id));
  if (style.built_in) return make("li", {}, button);
  const away = make("button", { type: "button", className: "away", "aria-label": `Delete ${style.name}` }, "×");
  away.addEventListener("click", () => forget(style));
  return make("li", {}, button, away);
}

function choose(id) {
  const chosen = state.styles.some((style) => style.id === id);
  if (!state.several) return change({ styles: [{ id, weight: 1 }] });
  const others = state.styles.filter((style) => style.id !== id);
  return change({ styles: chosen ? others : [...state.styles, { id, weight: 1 }] });
}

function several(on) {
  change({ several: on, styles: on ? state.styles : state.styles.slice(0, 1) });
}

async function forget(style) {
  try {
    await remove(`/api/pictures/${style.id}`);
    change({ styles: state.styles.filter(({ id }) => id !== style.id) });
    await refresh();
    say(`${style.name} is deleted`);
  } catch (error) { tell(error.message); }
}

async function send(file, kind) {
  const bar = byId("upload");
  bar.hidden = false;
  bar.value = 0;
  try {
    const picture = await upload(file, kind, (share) => { bar.value = share; });
    tell("");
    return picture;
  } catch (error) {
    tell(error.message);
    return null;
  } finally { bar.hidden = true; }
}

/** Takes the first file as the photo; one that Impasto painted brings its settings back instead. */
export async function takePhoto(files) {
  if (!files.length) return;
  const picture = await send(files[0], "photo");
  byId("photo-file").value = "";
  if (!picture) return;
  if (picture.settings?.method && await restore(picture)) return;
  change({ photo: picture, mask: null, job: null });
  say(`${picture.name} is the photo now`);
}

async function takePaintings(files) {
  const added = [];
  for (const file of files) {
    const picture = await send(file, "style");
    if (picture?.settings?.method && await restore(picture)) return;
    if (picture) added.push({ id: picture.id, weight: 1 });
  }
  byId("style-file").value = "";
  if (!added.length) return;
  await refresh();
  change({ styles: state.several ? [...state.styles, ...added] : added.slice(-1) });
}

async function takeExample() {
  const blob = await (await fetch("page/raccoon.jpg")).blob();
  await takePhoto([new File([blob], "raccoon.jpg", { type: blob.type })]);
}
