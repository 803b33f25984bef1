/** The fast method while the sliders move: one request at a time, and the last wish wins. */

import { fast } from "./api.js";

const PREVIEW = 512;
let wish = null;
let busy = false;

/**
 * Wishes for a picture.
 * @param {() => any} order what to send, asked when its turn comes
 * @param {(blob: Blob, order: any) => void} onPicture
 * @param {(error: Error) => void} onTrouble
 */
export function paintLive(order, onPicture, onTrouble) {
  wish = { order, onPicture, onTrouble };
  if (!busy) next();
}

/** Nothing is wished for any longer. */
export function stopLive() { wish = null; }

async function next() {
  busy = true;
  while (wish) {
    const now = wish;
    wish = null;
    try {
      const asked = now.order();
      const options = { ...asked.options, size: PREVIEW };
      delete options.mask; // laid over here, while the brush still moves
      const blob = await fast({ content: asked.content, styles: asked.styles, options, format: "jpeg" });
      if (!wish) now.onPicture(blob, asked);
    } catch (error) {
      if (error.status === 429 && !wish) { // others are before us: our turn comes
        await new Promise((done) => { setTimeout(done, 1000 * (error.after || 1)); });
        wish ??= now;
      } else if (!wish) now.onTrouble(error);
    }
  }
  busy = false;
}
