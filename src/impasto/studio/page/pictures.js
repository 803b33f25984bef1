/** Every photo, painting and mask of one's own that the studio keeps, each to be deleted. */

import { get, remove } from "./api.js";
import { button, byId, make, say, tell } from "./dom.js";
import { refreshGallery } from "./gallery.js";
import { change, state } from "./state.js";
import { sure } from "./sure.js";

const KINDS = { photo: "photo", style: "painting", mask: "mask" };
const MOST = 500;

/** Listens to the button that opens the list. */
export function openPictures() {
  byId("pictures-open").addEventListener("click", () => { byId("pictures").showModal(); draw(); });
  byId("pictures-close").addEventListener("click", () => byId("pictures").close());
}

async function draw() {
  tell("", "pictures-trouble");
  try {
    const lists = await Promise.all(Object.keys(KINDS).map((kind) => get(`/api/pictures?kind=${kind}&limit=${MOST}`)));
    const all = lists.flat();
    byId("pictures-empty").hidden = all.length > 0;
    byId("pictures-list").replaceChildren(...all.map(item));
  } catch (error) { tell(error.message, "pictures-trouble"); }
}

function item(picture) {
  const called = `${KINDS[picture.kind]} ${picture.name}`;
  return make("li", {}, make("img", { src: picture.thumbnail, alt: "", loading: "lazy" }),
    make("span", {}, picture.name, make("span", { className: "hint" }, `${KINDS[picture.kind]}, ${picture.width} × ${picture.height}`)),
    button("Delete", "button", () => forget(picture, called), { "aria-label": `Delete the ${called}` }));
}

/**
 * Deletes a picture, if it is meant, and takes it off the page.
 * @param {any} picture @param {string} called @param {string} where trouble is told
 * @returns {Promise<boolean>} whether it is gone
 */
export async function forgetPicture(picture, called, where) {
  if (!await sure(`Delete the ${called}? It cannot be brought back.`)) return false;
  try { await remove(`/api/pictures/${picture.id}`); } catch (error) {
    if (error.status !== 404) { tell(error.message, where); return false; }
  }
  say(`The ${called} is deleted`);
  if (state.photo?.id === picture.id) change({ photo: null, mask: null, job: null });
  if (state.mask?.id === picture.id) change({ mask: null });
  return true;
}

async function forget(picture, called) {
  if (!await forgetPicture(picture, called, "pictures-trouble")) return;
  if (picture.kind === "style") await refreshGallery();
  await draw();
  byId("pictures-close").focus();
}
