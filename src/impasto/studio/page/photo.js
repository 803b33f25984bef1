/** The photo: picked, dropped, pasted; and where whatever else is dropped or pasted goes. */

import { byId, notice, say, tell } from "./dom.js";
import { forgetPaintings, takePaintings } from "./gallery.js";
import { forgetPicture } from "./pictures.js";
import { bearsSettings, restore } from "./restore.js";
import { change, state } from "./state.js";
import { send } from "./uploads.js";

/** Photos in the order in which they were chosen: one that comes late does not take the place of a later one. */
let chosen = 0;
let latest = 0;

const KNOWN = /\.(heic|heif|avif|tiff?)$/i;

/** Listens to whoever brings pictures. */
export function openPhoto() {
  const file = byId("photo-file");
  file.addEventListener("change", () => { takePhoto([...file.files]); file.value = ""; });
  for (const id of ["photo-button", "choose-photo"]) byId(id).addEventListener("click", () => file.click());
  byId("example").addEventListener("click", takeExample);
  byId("photo-away").addEventListener("click", async () => {
    if (await forgetPicture(state.photo, `photo ${state.photo.name}`, "rail-trouble")) byId("photo-button").focus();
  });
  document.addEventListener("paste", paste);
  openDrops();
}

/** Draws the photo as it is chosen now. */
export function drawPhoto() {
  const { photo } = state;
  byId("photo-part").hidden = state.mode === "texture";
  byId("photo-thumb").hidden = byId("photo-away").hidden = !photo;
  if (photo) byId("photo-thumb").src = photo.thumbnail;
  byId("photo-button").classList.toggle("having", Boolean(photo));
  byId("photo-label").textContent = photo ? "Change" : "Choose";
  byId("photo-name").textContent = photo ? `${photo.name}, ${photo.width} by ${photo.height} pixels` : "no photo yet";
}

/** Takes the first file as the photo; one that Impasto painted brings its settings back instead. */
export async function takePhoto(files, plainly = false) {
  if (!files.length) return;
  notice("");
  chosen += 1;
  const mine = chosen;
  const [picture] = await send(files.slice(0, 1), "photo");
  if (!picture || mine < latest) return;
  latest = mine;
  if (!plainly && bearsSettings(picture)) { await restore(picture, () => takePhoto(files, true)); return; }
  change({ photo: picture, mask: null, job: null });
  say(`${picture.name} is the photo now`);
}

async function takeExample() {
  const blob = await (await fetch("/page/raccoon.jpg")).blob();
  await takePhoto([new File([blob], "raccoon.jpg", { type: blob.type })]);
  byId("gallery").querySelector("[data-style]")?.focus({ preventScroll: true }); // the button is gone; this comes next
}

/** What is pasted is the photo if there is none, else a painting; a click makes it the other. */
async function paste(event) {
  const files = picturesIn(event.clipboardData);
  if (!files.length) return;
  event.preventDefault();
  const asPhoto = state.mode === "reconstruct" || (state.mode === "stylize" && !state.photo);
  if (asPhoto) { await takePhoto(files); return; }
  const before = { styles: state.styles, several: state.several };
  const taken = await takePaintings(files);
  if (taken.length && state.mode === "stylize") {
    notice("Pasted as a painting.", "Make it the photo", async () => {
      change(before);
      await forgetPaintings(taken);
      await takePhoto(files, true);
    });
  }
}

/** Files out of a drop or a paste. @returns {File[]} */
function picturesIn(transfer) {
  return [...(transfer?.files || [])].filter((file) => file.type.startsWith("image/") || KNOWN.test(file.name));
}

/** While files are dragged over the page it shows where they can go. */
function openDrops() {
  const drops = byId("drops");
  let deep = 0;
  const shown = (on) => {
    deep = on ? deep : 0;
    drops.hidden = !on;
    byId("drop-photo").hidden = state.mode === "texture";
    byId("drop-painting").hidden = state.mode === "reconstruct";
  };
  addEventListener("dragenter", (event) => {
    if (![...(event.dataTransfer?.types || [])].includes("Files")) return;
    event.preventDefault();
    deep += 1;
    shown(true);
  });
  addEventListener("dragleave", () => { deep -= 1; if (deep <= 0) shown(false); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => { event.preventDefault(); shown(false); });
  for (const [id, take] of [["drop-photo", takePhoto], ["drop-painting", takePaintings]]) {
    const place = byId(id);
    place.addEventListener("dragenter", () => place.classList.add("over"));
    for (const name of ["dragleave", "drop"]) place.addEventListener(name, () => place.classList.remove("over"));
    place.addEventListener("drop", (event) => {
      const files = picturesIn(event.dataTransfer);
      if (files.length) take(files); else tell("That is no picture; drop a JPEG, PNG, WebP, AVIF, TIFF or HEIC file.", "rail-trouble");
    });
  }
}
