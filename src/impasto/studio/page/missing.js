/** What another tab has deleted is chosen no longer, and what it has brought is there to be chosen. */

import { get } from "./api.js";
import { notice } from "./dom.js";
import { refreshGallery } from "./gallery.js";
import { without } from "./restore.js";
import { change, state } from "./state.js";

/** Looks whether all that is chosen is still there. @returns {Promise<boolean>} whether something is not; it is told then */
export async function catchUp() {
  const gone = [];
  try {
    for (const name of ["photo", "mask"]) if (await missing(state[name])) gone.push(name);
    if (gone.length) change(gone.includes("photo") ? { photo: null, mask: null } : { mask: null });
    const fewer = await refreshGallery();
    if (fewer) gone.push(fewer > 1 ? "paintings" : "painting");
  } catch { /* the studio is away, as the history tells */ }
  if (gone.length) notice(without({ gone: gone.map((name) => (name === "paintings" ? name : `the ${name}`)), strange: [] }));
  return gone.length > 0;
}

/** Catches up whenever somebody comes back to this tab. */
export function openMissing() {
  addEventListener("focus", () => catchUp());
}

async function missing(picture) {
  if (!picture) return false;
  try { await get(`/api/pictures/${picture.id}`); } catch (error) {
    if (error.status === 404) return true;
    throw error;
  }
  return false;
}
