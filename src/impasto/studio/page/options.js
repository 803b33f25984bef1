/** The form, read off the JSON schemas that the server derives from each method's options. */

import { byId } from "./dom.js";
import { field } from "./fields.js";
import { suits } from "./schema.js";
import { options, setOption, state } from "./state.js";

const FIRST = ["strength", "style_scale", "keep_color", "quality", "size"];
/** Said elsewhere on the page. */
const ELSEWHERE = ["mask", "blend"];

let schemas = {};
let meant = {};
let drawn = "";

/** @param {any[]} methods as /api/methods tells them */
export function learn(methods) {
  schemas = Object.fromEntries(methods.map((method) => [method.name, method.options.properties]));
  meant = Object.fromEntries(methods.map((method) => [method.name, method.meant]));
}

/** Whether there is such a method, and if an option is named, whether it has that; files may name "constructor". */
export const knows = (method, name) => Object.hasOwn(schemas, method) && (name === undefined || Object.hasOwn(schemas[method], name));

/** What an option is if nothing is said. */
export const defaultOf = (method, name) => schemas[method]?.[name]?.default;

/** Whether a value is one that an option can have. */
export const admits = (method, name, value) => knows(method, name) && suits(schemas[method][name], value);

/** Options as they were kept, by method. @returns {[any, string[]]} those that fit, and the names of those that do not */
export function sifted(kept) {
  const strange = [];
  const fitting = Object.entries(kept).filter(([method]) => knows(method)).map(([method, told]) => {
    const fits = Object.entries(told).filter(([name, value]) => admits(method, name, value) || !strange.push(name));
    return [method, Object.fromEntries(fits)];
  });
  return [Object.fromEntries(fitting), strange];
}

/** Draws the form of the present method anew; not while somebody moves a slider in it. */
export function drawForm() {
  const now = look();
  if (now === drawn) return;
  drawn = now;
  const all = Object.entries(schemas[state.method] || {}).filter(([name]) => belongs(name));
  const rank = ([name]) => FIRST.indexOf(name);
  const first = all.filter((one) => rank(one) >= 0).sort((a, b) => rank(a) - rank(b));
  const rest = all.filter((one) => rank(one) < 0);
  byId("options").replaceChildren(...first.map(made));
  byId("rest").replaceChildren(...rest.map(made));
  byId("more").hidden = rest.length === 0;
}

const look = () => JSON.stringify([state.method, state.mode, state.statistics, options()]);

/** Whether an option means something in the present mode, and is said in the form. */
function belongs(name) {
  const job = state.mode === "reconstruct" && state.statistics ? "statistics" : state.mode;
  return !ELSEWHERE.includes(name) && Boolean(meant[state.method]?.[job]?.includes(name));
}

/** What the form says; what was set in another mode, and means nothing in this one, is kept and not sent. */
export const said = () => Object.fromEntries(Object.entries(options()).filter(([name]) => belongs(name)));

function made([name, schema]) {
  const keep = (value) => {
    setOption(name, JSON.stringify(value) === JSON.stringify(schema.default) ? undefined : value);
    drawn = look();
  };
  return field(name, schema, options()[name] ?? schema.default, keep);
}
