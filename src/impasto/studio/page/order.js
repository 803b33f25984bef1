/** What the page is set to, in the API's words. */

import { knows, said } from "./options.js";
import { state } from "./state.js";

/** Whether all pictures are there that the present mode needs. */
export const complete = () => (state.mode === "texture" || Boolean(state.photo))
  && (state.mode === "reconstruct" || state.styles.length > 0)
  && (state.mode !== "reconstruct" || state.layers.length > 0);

/** Whether the present settings paint at once, while sliders move. */
export const isFast = () => state.mode === "stylize" && state.method === "fast";

/** An order for /api/jobs. */
export function wanted() {
  const told = { job: state.mode, method: state.method, options: said() };
  if (state.mode !== "texture") told.content = state.photo.id;
  if (state.mode !== "reconstruct") {
    told.styles = state.styles.map(({ id }) => id);
    if (told.styles.length > 1) told.options.blend = state.styles.map(({ weight }) => weight);
  }
  if (state.mode === "stylize") {
    if (state.mask && knows(state.method, "mask")) told.options.mask = [state.mask.id];
  } else if (state.mode === "texture") {
    const { width, height, tileable } = state.texture;
    Object.assign(told, { size: { width, height }, tileable });
  } else {
    Object.assign(told, { layers: state.layers, statistics: state.statistics });
  }
  return told;
}
