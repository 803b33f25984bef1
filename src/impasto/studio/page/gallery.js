/** Paintings: the built-in ones and one's own, chosen, added, deleted. */

import { get, remove } from "./api.js";
import { button, byId, make, say, stem, tell } from "./dom.js";
import { bearsSettings, restore } from "./restore.js";
import { change, state } from "./state.js";
import { sure } from "./sure.js";
import { send } from "./uploads.js";

let styles = [];
let drawn = "";
let asked = 0;
let heard = 0;

/** Listens to whoever brings more paintings. */
export function openGallery() {
  const file = byId("style-file");
  file.addEventListener("change", () => { takePaintings([...file.files]); file.value = ""; });
  byId("several").addEventListener("change", (event) => {
    const several = event.target.checked;
    change({ several, styles: several ? state.styles : state.styles.slice(0, 1) });
  });
}

/** Reads the list anew; a painting that is gone is chosen no longer. @returns {Promise<number>} how many of those chosen */
export async function refreshGallery() {
  asked += 1;
  const mine = asked;
  const found = await get("/api/styles");
  if (mine < heard) return 0; // whoever asked later knows more
  [heard, styles] = [mine, found];
  const left = state.styles.filter(({ id }) => styleOf(id));
  const fewer = state.styles.length - left.length;
  if (fewer) change({ styles: left });
  drawGallery();
  return fewer;
}

/** What a name or id stands for, if it is still there. */
export const styleOf = (id) => styles.find((style) => style.id === id);

/** Draws the paintings as they are chosen now. */
export function drawGallery() {
  byId("paintings-part").hidden = state.mode === "reconstruct";
  byId("several").checked = state.several;
  const now = styles.map(({ id }) => id).join();
  const isNew = now !== drawn;
  if (isNew) {
    drawn = now;
    const own = styles.filter((style) => !style.built_in);
    byId("gallery").replaceChildren(make("li", {}, adder()), ...[...own, ...styles.filter((style) => style.built_in)].map(item));
  }
  for (const swatch of byId("gallery").querySelectorAll("[data-style]")) {
    swatch.setAttribute("aria-pressed", String(state.styles.some(({ id }) => id === swatch.dataset.style)));
  }
  if (isNew) comeIntoSight(byId("gallery").querySelector("[aria-pressed=true]"));
}

/** The row is longer than it is wide: what was chosen before is moved there, without moving the page. */
function comeIntoSight(swatch) {
  if (!swatch) return;
  const row = byId("gallery");
  const [outer, inner] = [row.getBoundingClientRect(), swatch.getBoundingClientRect()];
  if (inner.right > outer.right) row.scrollLeft += inner.left - outer.left - outer.width / 2;
}

function adder() {
  const add = button("", "swatch add", () => byId("style-file").click());
  add.append(make("span", { className: "pic" }), make("span", {}, "Add yours"));
  return add;
}

function item(style) {
  const pick = button("", "swatch", (event) => choose(style.id, event.ctrlKey || event.metaKey || event.shiftKey), { "data-style": style.id, title: style.name });
  const picture = make("img", { src: style.thumbnail, alt: "", width: 96, height: 96 });
  pick.append(make("span", { className: "pic" }, picture), make("span", {}, style.built_in ? style.name : stem(style.name)));
  if (style.built_in) return make("li", {}, pick);
  return make("li", {}, pick, button("×", "away", () => forget(style), { "aria-label": `Delete ${style.name}` }));
}

function choose(id, more) {
  tell("", "rail-trouble");
  const several = state.several || (more && state.styles.length > 0);
  if (!several) return change({ styles: [{ id, weight: 1 }] });
  const others = state.styles.filter((style) => style.id !== id);
  const chosen = others.length < state.styles.length;
  return change({ several, styles: chosen ? others : [...others, { id, weight: 1 }] });
}

async function forget(style) {
  if (!await sure(`Delete the painting ${style.name}? It cannot be brought back.`)) return undefined;
  tell("", "rail-trouble");
  try {
    await remove(`/api/pictures/${style.id}`);
  } catch (error) {
    if (error.status !== 404) return tell(error.message, "rail-trouble");
  }
  await refreshGallery();
  say(`${style.name} is deleted`);
  return byId("gallery").querySelector("button").focus();
}

/**
 * Adds paintings and chooses them; one that Impasto painted brings its settings back instead.
 * @returns {Promise<any[]>} the new paintings
 */
export async function takePaintings(files, plainly = false) {
  if (!files.length) return [];
  const taken = await send(files, "style");
  const [result] = taken.filter(bearsSettings);
  if (result && !plainly && files.length === 1) {
    await restore(result, () => takePaintings(files, true));
    return [];
  }
  if (!taken.length) return [];
  await refreshGallery();
  const added = taken.map(({ id }) => ({ id, weight: 1 }));
  const several = state.several || added.length > 1;
  change({ several, styles: several && state.several ? [...state.styles, ...added] : added });
  say(`${taken.map(({ name }) => name).join(", ")} added`);
  byId("gallery").scrollTo({ left: 0 }); // where one's own hang
  return taken;
}

/** Takes paintings away that were not meant as such. */
export async function forgetPaintings(paintings) {
  await Promise.all(paintings.map(({ id }) => remove(`/api/pictures/${id}`).catch(() => {})));
  await refreshGallery();
}
