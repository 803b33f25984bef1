/** What hangs on the wall, and the label beside it. */

import { byId, tell } from "./dom.js";
import { divide, hangSize, openView, setDivided, setFull, wipe } from "./view.js";

const LOST = "A picture cannot be loaded now. It may have been deleted, or the studio may be away.";

let held = null; // the address of a picture that only this page has
let shown = { photo: "", kind: "" };
let turn = 0;

/** Listens to zoom and tiles. */
export function openStage() {
  const mark = (full) => { for (const radio of document.querySelectorAll("[name=zoom]")) radio.checked = (radio.value === "full") === full; };
  openView(mark);
  for (const radio of document.querySelectorAll("[name=zoom]")) {
    radio.addEventListener("change", () => radio.checked && setFull(radio.value === "full"));
  }
  byId("tile").addEventListener("change", () => measure());
}

/**
 * Hangs a picture, over the photo where there is one.
 * @param {{photo?: any, after?: string, blob?: Blob, download?: string, title?: string, line?: string, tiles?: boolean}} told
 */
export async function show({ photo = null, after = "", blob = null, download = "", title = "", line = "", tiles = false }) {
  turn += 1;
  const mine = turn;
  const made = blob ? URL.createObjectURL(blob) : "";
  const source = made || after;
  const [before, over] = await Promise.all([ready(photo?.url), ready(source)]);
  const lost = source ? !over : photo && !before;
  if (mine !== turn) { if (made) URL.revokeObjectURL(made); return; } // something newer hangs there
  if (lost) { tell(LOST, "stage-trouble"); return; } // what hangs there is better than nothing
  if (byId("stage-trouble").textContent === LOST) tell("", "stage-trouble");
  if (held) URL.revokeObjectURL(held);
  held = made;
  const first = Boolean(over && before) && (shown.kind !== "both" || shown.photo !== photo.url);
  shown = { photo: photo?.url || "", kind: over && before ? "both" : "one" };
  set("before", before && photo.url, before ? `The photo ${photo.name}` : "");
  set("after", over && source, title);
  const hung = Boolean(before || over);
  byId("empty").hidden = hung || Boolean(title); // of a job that has nothing to show yet, the label tells alone
  byId("placard").hidden = !hung && !title;
  byId("frame").hidden = byId("zoom").hidden = !hung;
  byId("title").textContent = title;
  byId("line").textContent = line;
  byId("download").hidden = !download;
  if (download) byId("download").href = download;
  byId("tile-part").hidden = !tiles;
  measure(over || before);
  setDivided(Boolean(before && over));
  if (first) wipe(); else if (!(before && over)) divide(0);
}

/** Says whether somebody is painting. */
export function showBusy(busy) {
  byId("busy").hidden = !busy;
  byId("wall").setAttribute("aria-busy", String(busy));
}

/** A picture that has loaded, so that nothing flickers; null when there is none. */
async function ready(url) {
  if (!url) return null;
  const picture = new Image();
  picture.src = url;
  try { await picture.decode(); } catch { return null; }
  return picture;
}

function set(id, source, alt) {
  const picture = byId(id);
  picture.hidden = !source;
  picture.alt = alt;
  if (!source) picture.removeAttribute("src");
  else if (picture.getAttribute("src") !== source) picture.src = source;
}

let natural = null;

/** The frame has the picture's shape; a texture laid two by two is twice as large. */
function measure(picture = natural) {
  natural = picture;
  const tiled = !byId("tile-part").hidden && byId("tile").checked;
  byId("tiles").hidden = !tiled;
  byId("tiles").style.backgroundImage = tiled ? `url("${byId("after").src}")` : "";
  const times = tiled ? 2 : 1;
  hangSize(picture ? { width: times * picture.naturalWidth, height: times * picture.naturalHeight } : null);
}
