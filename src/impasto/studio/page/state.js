/** What the page is about: one object with subscribers, kept for this tab, and for the next that is opened. */

import { areWords, isId, isPlain, isSize } from "./schema.js";

const KEY = "impasto-studio";

const START = {
  mode: "stylize",
  method: "fast",
  /** The photo as the server keeps it. */ photo: null,
  /** [{id, weight}] in the order they were chosen. */ styles: [],
  several: false,
  /** method -> {option: value}, only what differs from the defaults. */ options: {},
  texture: { width: 512, height: 512, tileable: true },
  layers: ["relu3_1"],
  statistics: false,
  mask: null,
  /** The job that is looked at. */ job: null,
};

/** What each of them has to look like: what is kept may be of another version, or damaged. */
const isPicture = (told) => isPlain(told) && isId(told.id) && areWords([told.name, told.url, told.thumbnail])
  && [told.width, told.height].every((side) => Number.isInteger(side) && side > 0);
const LOOKS = {
  mode: (told) => ["stylize", "texture", "reconstruct"].includes(told),
  method: (told) => typeof told === "string",
  photo: (told) => told === null || isPicture(told),
  styles: (told) => Array.isArray(told) && told.every((one) => typeof one?.id === "string" && Number.isFinite(one.weight) && one.weight >= 0),
  several: (told) => typeof told === "boolean",
  options: (told) => isPlain(told) && Object.values(told).every(isPlain),
  texture: (told) => isSize(told) && typeof told.tileable === "boolean",
  layers: areWords,
  statistics: (told) => typeof told === "boolean",
  mask: (told) => told === null || isPicture(told),
  job: (told) => told === null || isId(told),
};

/** Names of what was kept and does not fit. */
export const odd = [];

function stored() {
  try {
    const told = JSON.parse(sessionStorage.getItem(KEY) || localStorage.getItem(KEY)) || {};
    const known = Object.entries(told).filter(([name]) => Object.hasOwn(START, name));
    odd.push(...known.filter(([name, value]) => !LOOKS[name](value)).map(([name]) => name));
    return Object.fromEntries(known.filter(([name]) => !odd.includes(name)));
  } catch { return {}; }
}

/** Forgets all of it, for a page that cannot begin. */
export function forgetAll() {
  try { for (const kept of [sessionStorage, localStorage]) kept.removeItem(KEY); } catch { /* nothing is kept */ }
}

export const state = { ...structuredClone(START), ...stored() };
const subscribers = new Set();

/** Calls back with the names that changed, after each change. */
export function subscribe(callback) { subscribers.add(callback); }

/** Changes some of it, keeps it, and tells whoever wants to know. */
export function change(values) {
  const names = new Set(Object.keys(values).filter((name) => state[name] !== values[name]));
  if (!names.size) return;
  Object.assign(state, values);
  try {
    for (const kept of [sessionStorage, localStorage]) kept.setItem(KEY, JSON.stringify(state));
  } catch { /* a browser that keeps nothing still paints */ }
  for (const callback of subscribers) callback(names);
}

/** The options of the present method that differ from the defaults. */
export const options = () => state.options[state.method] || {};

/** Changes one option of the present method; undefined takes the default again. */
export function setOption(name, value) {
  const own = { ...options(), [name]: value };
  if (value === undefined) delete own[name];
  change({ options: { ...state.options, [state.method]: own } });
}
