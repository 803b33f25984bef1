/** The form, read off the JSON schemas that the server derives from each method's options. */

import { byId, make } from "./dom.js";
import { options, setOption, state } from "./state.js";

const FIRST = ["strength", "quality", "size", "style_scale", "keep_color"];
/** Said elsewhere on the page, or by pictures. */
const ELSEWHERE = ["mask", "blend", "style_mask", "semantic", "init"];
/** Of textures and reconstructions, which have no photo to be near to. */
const OF_PHOTOS = ["strength", "keep_color", "photorealistic", "content_layers", "mix_scales", "size"];
const STEP = { strength: 0.01, style_scale: 0.05 };

let schemas = {};

/** @param {any[]} methods as /api/methods tells them */
export function learn(methods) {
  schemas = Object.fromEntries(methods.map((method) => [method.name, method.options.properties]));
}

/** Whether a method knows an option. */
export const knows = (method, name) => Boolean(schemas[method]?.[name]);

/** Draws the form of the present method anew. */
export function drawForm() {
  const all = Object.entries(schemas[state.method] || {})
    .filter(([name]) => !ELSEWHERE.includes(name))
    .filter(([name]) => state.mode === "stylize" || !OF_PHOTOS.includes(name) || (name === "size" && state.mode === "reconstruct"));
  const rank = (name) => FIRST.indexOf(name);
  const first = all.filter(([name]) => rank(name) >= 0).sort(([a], [b]) => rank(a) - rank(b));
  const rest = all.filter(([name]) => rank(name) < 0);
  byId("options").replaceChildren(...first.map(field));
  byId("rest").replaceChildren(...rest.map(field));
  byId("more").hidden = rest.length === 0;
}

/** One option's label and control. */
function field([name, schema]) {
  const plain = schema.anyOf ? { ...schema.anyOf[0], default: schema.default, description: schema.description } : schema;
  const id = `option-${name}`;
  const hint = make("p", { className: "hint", id: `${id}-hint` }, plain.description);
  const box = control(name, plain, id);
  box.setAttribute("aria-describedby", hint.id);
  if (plain.type === "boolean") return make("div", { className: "field" }, make("label", { className: "check" }, box, ` ${title(name)}`), hint);
  const head = make("label", { htmlFor: id, className: "field-name" }, title(name));
  if (box.type === "range") {
    const shown = make("output", { htmlFor: id }, Number(box.value).toFixed(2));
    box.addEventListener("input", () => { shown.value = Number(box.value).toFixed(2); });
    head.append(shown);
  }
  return make("div", { className: "field" }, head, box, hint);
}

function control(name, schema, id) {
  const value = options()[name] ?? schema.default;
  const keep = (told) => setOption(name, told === schema.default ? undefined : told);
  if (schema.enum) return choice(schema.enum, value, id, keep);
  if (schema.type === "boolean") {
    const box = make("input", { type: "checkbox", id, checked: Boolean(value) });
    box.addEventListener("change", () => keep(box.checked));
    return box;
  }
  if (schema.type === "number" && schema.maximum <= 10) return range(name, schema, value, id, keep);
  if (schema.type === "number" || schema.type === "integer") return number(schema, value, id, keep);
  return words(schema, value, id, keep);
}

function choice(names, value, id, keep) {
  const box = make("select", { id }, ...names.map((one) => make("option", { value: one, selected: one === value }, one)));
  box.addEventListener("change", () => keep(box.value));
  return box;
}

function range(name, schema, value, id, keep) {
  const box = make("input", { type: "range", id, min: schema.minimum, max: schema.maximum, step: STEP[name] || 0.01 });
  box.value = value ?? schema.minimum;
  box.addEventListener("input", () => keep(Number(box.value)));
  return box;
}

function number(schema, value, id, keep) {
  const box = make("input", { type: "number", id, min: schema.minimum, max: schema.maximum, placeholder: "as it comes" });
  box.step = schema.type === "integer" ? 1 : "any";
  box.value = value ?? "";
  box.addEventListener("change", () => keep(box.value === "" ? schema.default : Number(box.value)));
  return box;
}

function words(schema, value, id, keep) {
  const many = schema.type === "array";
  const box = make("input", { type: "text", id, autocomplete: "off", spellcheck: false, placeholder: many ? "a, b" : "as it comes" });
  box.value = many ? (value || []).join(", ") : value ?? "";
  const parse = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);
  box.addEventListener("change", () => keep(many ? listed(schema, parse(box.value)) : box.value.trim() || schema.default));
  return box;
}

function listed(schema, all) {
  if (!all.length) return undefined;
  return schema.items?.type === "string" ? all : all.map(Number);
}

/** keep_color -> Keep color */
const title = (name) => (name[0].toUpperCase() + name.slice(1)).replaceAll("_", " ");
