/** One option's label, control and help, after its JSON schema. */

import { fill, make } from "./dom.js";
import { beginning, pictures } from "./given.js";

/** Friendlier words for what people touch most; all else is called what the option is called. */
const TITLES = {
  style_scale: "Stroke size", keep_color: "Colours", size: "Long side", tv: "Smoothness", init: "Begin with",
  style_mask: "Masks of the paintings", semantic: "Maps of what is where",
};
const WORDS = {
  keep_color: { none: "The painting's", luminance: "The photo's, stroke light only", linear: "The photo's, matched", histogram: "The photo's, shade by shade" },
};
const ENDS = { strength: ["photo", "painting"], style_scale: ["fine", "broad"] };
/** Sliders on which each step multiplies. */
const DOUBLING = ["style_scale"];
const SEGMENTS = 3;

/**
 * @param {string} name @param {any} schema @param {any} value
 * @param {(value: any) => void} keep called with each new value
 */
export function field(name, schema, value, keep) {
  const plain = schema.anyOf ? { ...schema.anyOf[0], default: schema.default, description: schema.description } : schema;
  const id = `option-${name}`;
  const hint = make("p", { className: "hint", id: `${id}-hint` }, sentence(plain.description));
  const told = { name, id, hint: hint.id, schema: plain, value, keep, optional: Boolean(schema.anyOf), title: heading(name) };
  const items = plain.type === "array" ? plain.items : plain;
  if (items.format === "picture-id") return group(told, hint, pictures(told));
  if (name === "init") return group(told, hint, beginning(told));
  if (plain.type === "boolean") return tick(told, hint);
  if (plain.enum && !told.optional && plain.enum.length <= SEGMENTS && plain.enum.length > 1) return segments(told, hint);
  if (WORDS[name]) hint.classList.add("unseen"); // the choices say it themselves
  const box = control(told);
  box.setAttribute("aria-describedby", hint.id);
  const head = make("label", { htmlFor: id, className: "field-name" }, told.title);
  if (box.type === "range") return slider(told, head, box, hint);
  return make("div", { className: "field" }, head, box, hint);
}

function control(told) {
  const { schema } = told;
  if (schema.enum) return choice(told);
  if (schema.type === "number" && schema.maximum <= 10 && !told.optional) return range(told);
  if (schema.type === "number" || schema.type === "integer") return number(told);
  return words(told);
}

function choice({ name, id, schema, value, keep, optional }) {
  const called = (one) => WORDS[name]?.[one] || one;
  const box = make("select", { id },
    ...(optional ? [make("option", { value: "", selected: value === null }, "as usual")] : []),
    ...schema.enum.map((one) => make("option", { value: one, selected: one === value }, called(one))));
  box.addEventListener("change", () => keep(box.value || null));
  return box;
}

function segments({ id, hint, schema, value, keep, title: text }, help) {
  const one = (word) => {
    const radio = make("input", { type: "radio", name: id, value: word, checked: word === value });
    radio.addEventListener("change", () => radio.checked && keep(word));
    return make("label", {}, radio, make("span", {}, word));
  };
  return make("fieldset", { className: "field", id, "aria-describedby": hint },
    make("legend", { className: "field-name" }, text),
    make("div", { className: "segments wide" }, ...schema.enum.map(one)), help);
}

function tick({ id, hint, value, keep, title: text }, help) {
  const box = make("input", { type: "checkbox", id, checked: Boolean(value), "aria-describedby": hint });
  box.addEventListener("change", () => keep(box.checked));
  return make("div", { className: "field" }, make("label", { className: "check" }, box, text), help);
}

function range({ name, id, schema, value, keep }) {
  const doubles = DOUBLING.includes(name);
  const [there, back] = doubles ? [Math.log2, (x) => Number((2 ** x).toFixed(3))] : [Number, Number];
  const box = make("input", { type: "range", id });
  Object.assign(box, { min: there(schema.minimum), max: there(schema.maximum), step: doubles ? 0.1 : 0.01 });
  box.value = there(value ?? schema.minimum);
  box.told = () => (doubles ? `${back(Number(box.value)).toFixed(2)} times` : `${Math.round(100 * box.value)} percent`);
  box.shown = () => (doubles ? `${back(Number(box.value)).toFixed(2)}×` : `${Math.round(100 * box.value)} %`);
  box.addEventListener("input", () => keep(back(Number(box.value))));
  return box;
}

function slider({ name, id }, head, box, hint) {
  const output = make("output", { htmlFor: id });
  const draw = () => {
    output.value = box.shown();
    box.setAttribute("aria-valuetext", box.told());
    fill(box);
  };
  box.addEventListener("input", draw);
  draw();
  head.append(output);
  const ends = ENDS[name];
  if (!ends) return make("div", { className: "field" }, head, box, hint);
  hint.classList.add("unseen"); // the words at both ends say it shorter
  return make("div", { className: "field" }, head, box, make("div", { className: "ends hint", "aria-hidden": "true" }, ...ends.map((end) => make("span", {}, end))), hint);
}

function number({ name, id, schema, value, keep, optional }) {
  const empty = name === "size" ? "the photo's own" : "as usual";
  const box = make("input", { type: "number", id, min: schema.minimum, max: schema.maximum, placeholder: optional ? empty : "" });
  box.step = schema.type === "integer" ? 1 : "any";
  box.value = value ?? "";
  box.addEventListener("change", () => {
    box.setAttribute("aria-invalid", String(!box.validity.valid));
    keep(box.value === "" ? schema.default ?? null : Number(box.value));
  });
  return box;
}

function words({ id, schema, value, keep }) {
  const many = schema.type === "array";
  const box = make("input", { type: "text", id, autocomplete: "off", spellcheck: false, placeholder: many ? "the usual ones" : "as usual" });
  box.value = many ? (value || []).join(", ") : value ?? "";
  const parse = () => box.value.split(/[,\s]+/).filter(Boolean).map((word) => (schema.items.type === "string" ? word : Number(word)));
  box.addEventListener("change", () => keep(many ? parse() : box.value.trim() || schema.default));
  return box;
}

function group({ hint, title: text }, help, content) {
  return make("fieldset", { className: "field", "aria-describedby": hint }, make("legend", { className: "field-name" }, text), content, help);
}

/** keep_color -> Keep color */
export const heading = (name) => TITLES[name] || (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("_", " ");
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
