/** What the page is about: one object, kept in this browser, with subscribers. */

const KEY = "impasto";
const KEPT = ["mode", "method", "photo", "styles", "several", "options", "texture", "layer", "statistics", "mask", "job"];

const START = {
  mode: "stylize",
  method: "fast",
  /** The photo as the server keeps it. */ photo: null,
  /** [{id, weight}] in the order they were chosen. */ styles: [],
  several: false,
  /** method -> {option: value}, only what differs from the defaults. */ options: {},
  texture: { width: 512, height: 512, tileable: true },
  layer: "relu3_1",
  statistics: false,
  mask: null,
  /** The job that is looked at. */ job: null,
};

function stored() {
  try { return JSON.parse(localStorage.getItem(KEY)) || {}; } catch { return {}; }
}

export const state = { ...structuredClone(START), ...stored() };
const subscribers = new Set();

/** Calls back with the names that changed, after each change. */
export function subscribe(callback) { subscribers.add(callback); }

/** Changes some of it, keeps it, and tells whoever wants to know. */
export function change(values) {
  const names = Object.keys(values).filter((name) => state[name] !== values[name]);
  if (!names.length) return;
  Object.assign(state, values);
  try { localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(KEPT.map((n) => [n, state[n]])))); }
  catch { /* a browser that keeps nothing still paints */ }
  for (const callback of subscribers) callback(new Set(names));
}

/** The options of the present method that differ from the defaults. */
export const options = () => state.options[state.method] || {};

/** Changes one option of the present method; undefined takes the default again. */
export function setOption(name, value) {
  const own = { ...options(), [name]: value };
  if (value === undefined) delete own[name];
  change({ options: { ...state.options, [state.method]: own } });
}
