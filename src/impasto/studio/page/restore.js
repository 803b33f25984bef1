/** An earlier result brings back how it was painted: method, options, and its pictures where they are still here. */

import { get, remove } from "./api.js";
import { notice, say } from "./dom.js";
import { defaultOf, knows } from "./options.js";
import { change, state } from "./state.js";

const JOBS = ["stylize", "texture", "reconstruct"];
const ID = /^[0-9a-f]{32}$/;

/** Whether a picture says how Impasto painted it, in the studio or on a command line. */
export const bearsSettings = ({ settings }) => typeof settings?.method === "string" && isPlain(settings.options)
  && [settings.styles, settings.layers].every((list) => list === undefined || words(list))
  && [undefined, null].concat(JOBS).includes(settings.job);
const isPlain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const words = (list) => Array.isArray(list) && list.every((one) => typeof one === "string");

/**
 * Takes the settings out of an uploaded result.
 * @param {any} picture with settings
 * @param {() => void} asPicture what to do when it was meant as a picture like any other
 */
export async function restore(picture, asPicture) {
  const told = picture.settings;
  const job = JOBS.includes(told.job) ? told.job : "stylize";
  const whole = await apply({ ...told, job, statistics: told.statistics ?? told.style });
  const text = whole ? "The settings of that picture are back." : "The settings are back, but its photo or painting is no longer here: choose them again.";
  notice(text, "Use it as a picture", asPicture);
  say(text);
  remove(`/api/pictures/${picture.id}`).catch(() => {}); // it was only the bearer of its settings
}

/**
 * Sets the page as an order says.
 * @param {any} order @param {string|null} job which it was, to look at it
 * @returns {Promise<boolean>} whether all its pictures are still here
 */
export async function apply(order, job = null) {
  const names = new Set((await get("/api/styles")).map((style) => style.id));
  const asked = order.styles || [];
  const styles = asked.filter((id) => names.has(id));
  const weights = Array.isArray(order.options.blend) ? order.options.blend.filter(Number.isFinite) : [];
  const [photo, mask] = await Promise.all([found(order.content), found(order.options.mask?.[0])]);
  const told = Array.isArray(order.size) ? { width: order.size[0], height: order.size[1] } : order.size;
  const size = Number.isInteger(told?.width) && Number.isInteger(told?.height) ? told : null;
  change({
    mode: order.job,
    method: knows(order.method) ? order.method : state.method,
    options: { ...state.options, [order.method]: plain(order) },
    photo: photo || (job && order.job !== "texture" ? null : state.photo),
    mask,
    several: styles.length > 1,
    styles: styles.map((id, n) => ({ id, weight: weights.length === asked.length ? weights[asked.indexOf(id)] : weights[n] ?? 1 })),
    texture: size ? { ...size, tileable: Boolean(order.tileable) } : state.texture,
    layers: order.layers?.length ? [...order.layers] : state.layers,
    statistics: Boolean(order.statistics),
    job,
  });
  return Boolean(photo || order.job === "texture") && styles.length === asked.length;
}

/** Options that guests may say, that do not name a file of another machine, and that are not as they are anyway. */
function plain(order) {
  const { mask: _mask, blend: _blend, ...rest } = order.options;
  const differs = (name, value) => JSON.stringify(value) !== JSON.stringify(defaultOf(order.method, name));
  const fits = ([name, value]) => knows(order.method, name) && differs(name, value) && [value].flat().every(here);
  return Object.fromEntries(Object.entries(rest).filter(fits));
}

const here = (value) => typeof value !== "string" || !/[\\/]|\.(png|jpe?g|webp|tiff?|avif)$/i.test(value);

const found = (id) => (ID.test(id || "") ? get(`/api/pictures/${id}`).catch(() => null) : null);
