/** Values from elsewhere, a file or what an earlier page kept, against the server's JSON schemas: as much of them as it uses. */

/** @param {any} schema @param {any} value @returns {boolean} whether the value is what the schema says */
export function suits(schema, value) {
  if (schema.anyOf) return schema.anyOf.some((one) => suits(one, value));
  if (schema.enum && !schema.enum.includes(value)) return false;
  return Object.hasOwn(KINDS, schema.type) && KINDS[schema.type](value, schema);
}

const between = (value, { minimum = -Infinity, maximum = Infinity }) => value >= minimum && value <= maximum;

const KINDS = {
  null: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  integer: (value, schema) => Number.isInteger(value) && between(value, schema),
  number: (value, schema) => Number.isFinite(value) && between(value, schema),
  string: (value, { pattern }) => typeof value === "string" && (!pattern || new RegExp(pattern).test(value)),
  array: (value, { items, maxItems = MANY }) => Array.isArray(value) && value.length <= maxItems && value.every((one) => suits(items, one)),
};

/** More than anybody lists. */
const MANY = 256;

/** A picture's id. */
export const isId = (value) => typeof value === "string" && /^[0-9a-f]{32}$/.test(value);

/** Whether something is an object with names. */
export const isPlain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** Whether something is a list of words. */
export const areWords = (value) => Array.isArray(value) && value.length <= MANY && value.every((one) => typeof one === "string");

/** @returns {boolean} whether these are a width and a height that a texture can have */
export const isSize = (told) => [told?.width, told?.height].every((side) => Number.isInteger(side) && between(side, SIDE));
const SIDE = { minimum: 16, maximum: 8192 };
