/** What the page is about: one object with subscribers, kept for this tab, and for the next that is opened. */

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

function stored() {
  try {
    const told = JSON.parse(sessionStorage.getItem(KEY) || localStorage.getItem(KEY)) || {};
    return Object.fromEntries(Object.entries(told).filter(([name]) => Object.hasOwn(START, name)));
  } catch { return {}; }
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
