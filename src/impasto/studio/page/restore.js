/** An earlier result brings back how it was painted: method, options, and its pictures where they are still here. */

import { get, remove } from "./api.js";
import { notice, say } from "./dom.js";
import { heading } from "./fields.js";
import { BEGINNINGS } from "./given.js";
import { fits, USUAL } from "./method.js";
import { admits, defaultOf, knows } from "./options.js";
import { areWords, isId, isPlain, isSize } from "./schema.js";
import { change, state } from "./state.js";

const JOBS = ["stylize", "texture", "reconstruct"];
/** Options that name pictures, in words. */
const PICTURES = { style_mask: "the masks of its paintings", semantic: "its maps of what is where", init: "the picture it begins with" };
/** Said by other parts of an order. */
const APART = ["mask", "blend"];

/** Whether a picture says how Impasto painted it, in the studio or on a command line. */
export const bearsSettings = ({ settings }) => typeof settings?.method === "string" && isPlain(settings.options)
  && [settings.styles, settings.layers].every((list) => list === undefined || areWords(list))
  && [undefined, null].concat(JOBS).includes(settings.job);

/**
 * Takes the settings out of an uploaded result.
 * @param {any} picture with settings
 * @param {() => void} asPicture what to do when it was meant as a picture like any other
 */
export async function restore(picture, asPicture) {
  const told = picture.settings;
  const job = JOBS.includes(told.job) ? told.job : "stylize";
  const left = without(await apply({ ...told, job, statistics: told.statistics ?? told.style }));
  const text = left ? `The settings are back, but not all. ${left}` : "The settings of that picture are back.";
  notice(text, "Use it as a picture", asPicture);
  say(text);
  remove(`/api/pictures/${picture.id}`).catch(() => {}); // it was only the bearer of its settings
}

/** What did not come back, in words; nothing if all did. @param {{gone: string[], strange: string[]}} left */
export function without({ gone, strange }) {
  const list = (parts) => [parts.slice(0, -1).join(", "), parts.at(-1)].filter(Boolean).join(" and ");
  return [gone.length ? `No longer here: ${list(gone)}; choose again.` : "",
    strange.length ? `Left out, as it does not fit here: ${list(strange)}.` : ""].filter(Boolean).join(" ");
}

/**
 * Sets the page as an order says.
 * @param {any} order @param {string|null} job which it was, to look at it
 * @returns {Promise<{gone: string[], strange: string[]}>} its pictures that are no longer here, and what does not fit
 */
export async function apply(order, job = null) {
  const names = new Set((await get("/api/styles")).map((style) => style.id));
  const asked = [...new Set(order.styles || [])];
  const styles = asked.filter((id) => names.has(id));
  const masks = Array.isArray(order.options.mask) ? order.options.mask : [];
  const [photo, mask, [options, left]] = await Promise.all([found(order.content), found(masks[0]), sorted(order)]);
  const told = Array.isArray(order.size) ? { width: order.size[0], height: order.size[1] } : order.size;
  const size = isSize(told) ? { width: told.width, height: told.height } : null;
  const possible = [order.method, state.method].filter((name) => fits(name, order.job));
  change({
    mode: order.job,
    method: possible[0] || USUAL[order.job],
    options: { ...state.options, [order.method]: options },
    photo: photo || (job && order.job !== "texture" ? null : state.photo),
    mask,
    several: styles.length > 1,
    styles: styles.map((id) => ({ id, weight: weight(order.options.blend, asked, id) })),
    texture: size ? { ...size, tileable: Boolean(order.tileable) } : state.texture,
    layers: order.layers?.length ? [...order.layers] : state.layers,
    statistics: Boolean(order.statistics),
    job,
  });
  if (masks.length && !mask) left.gone.unshift(masks.length > 1 ? "its masks" : "its mask");
  if (masks.length > 1 && mask) left.strange.unshift("its other masks: this page has one");
  if (styles.length < asked.length) left.gone.unshift(paintings(asked.length, asked.length - styles.length));
  if (order.job !== "texture" && !photo) left.gone.unshift("its photo");
  if (possible[0] !== order.method) left.strange.unshift(`its method, ${order.method.slice(0, 40)}`);
  if (told && !size && order.job === "texture") left.strange.push("its size");
  return left;
}

const paintings = (all, gone) => (gone < all ? `${gone} of its paintings` : all > 1 ? "its paintings" : "its painting");

/** How much of a painting, after the list of an order. */
function weight(blend, asked, id) {
  const told = Array.isArray(blend) && blend.length === asked.length ? blend : [];
  const value = told[asked.indexOf(id)];
  return Number.isFinite(value) && value >= 0 && told.some((one) => one > 0) ? value : 1;
}

/** Options that guests may say, that are what their schema says, that do not name a file of another machine, and that are
 * not as they are anyway; and what else there was. */
async function sorted({ method, options }) {
  const differs = ([name, value]) => JSON.stringify(value) !== JSON.stringify(defaultOf(method, name));
  const told = Object.entries(options).filter(([name]) => knows(method, name) && !APART.includes(name)).filter(differs);
  const left = { gone: [], strange: [] };
  const kept = await Promise.all(told.map(async ([name, value]) => {
    const pictures = Object.hasOwn(PICTURES, name) && areWords([value].flat())
      ? [value].flat().filter((one) => name !== "init" || !BEGINNINGS.includes(one)) : [];
    if ((await Promise.all(pictures.map(found))).includes(null)) return void left.gone.push(PICTURES[name]);
    if (!admits(method, name, value) || ![value].flat().every(here)) return void left.strange.push(heading(name));
    return [name, value];
  }));
  return [Object.fromEntries(kept.filter(Boolean)), left];
}

const here = (value) => typeof value !== "string" || !/[\\/]|\.(png|jpe?g|webp|tiff?|avif)$/i.test(value);

const found = async (id) => (isId(id) ? get(`/api/pictures/${id}`).catch(() => null) : null);
