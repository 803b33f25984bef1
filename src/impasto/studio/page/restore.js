/** An earlier result brings back how it was painted: method, options, and its pictures where they are still here. */

import { get, remove } from "./api.js";
import { say, tell } from "./dom.js";
import { change, state } from "./state.js";

const JOBS = ["stylize", "texture", "reconstruct"];

/**
 * Takes the settings out of an uploaded result.
 * @param {any} picture with settings
 * @returns {Promise<boolean>} whether there were any of ours
 */
export async function restore(picture) {
  const told = picture.settings;
  const job = told.job || "stylize";
  if (!JOBS.includes(job) || typeof told.options !== "object") return false;
  const done = await apply({ ...told, job });
  remove(`/api/pictures/${picture.id}`).catch(() => {}); // it was only the bearer of its settings
  tell(done ? "" : "The settings are back; its photo or painting is no longer here. Choose them again.");
  say("The settings of that picture are back");
  return true;
}

/** Sets the page as an order says. @returns {Promise<boolean>} whether all its pictures are still here */
export async function apply(order) {
  const photo = order.content ? await found(order.content) : null;
  const names = new Set((await get("/api/styles")).map((style) => style.id));
  const styles = (order.styles || []).filter((id) => names.has(id));
  const weights = order.options.blend || [];
  const [mask] = order.options.mask || [];
  const { mask: _mask, blend: _blend, ...rest } = order.options;
  const size = Array.isArray(order.size) ? { width: order.size[0], height: order.size[1] } : order.size;
  change({
    mode: order.job,
    method: order.method,
    options: { ...state.options, [order.method]: Object.fromEntries(Object.entries(rest).filter(([, v]) => v !== null)) },
    photo: photo || state.photo,
    mask: mask ? await found(mask) : null,
    several: styles.length > 1,
    styles: styles.map((id, n) => ({ id, weight: weights[n] ?? 1 })),
    texture: size ? { ...size, tileable: Boolean(order.tileable) } : state.texture,
    layer: order.layers?.[0] || state.layer,
    statistics: Boolean(order.statistics),
    job: null,
  });
  return Boolean(photo || !order.content) && styles.length === (order.styles || []).length;
}

const found = (id) => (/^[0-9a-f]{32}$/.test(id) ? get(`/api/pictures/${id}`).catch(() => null) : null);
