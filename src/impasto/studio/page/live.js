/** The fast method while the sliders move: one request at a time, and the last wish wins. */

import { fast } from "./api.js";

/** Pixels while a slider moves, and once it rests. */
const QUICK = 512;
const FINE = 1024;
const REST = 500;

let wish = null;
let busy = false;
let resting = 0;

/**
 * Wishes for a picture: soon a small one, and a finer one when no other wish follows.
 * @param {() => any} order what to send, asked when its turn comes
 * @param {(blob: Blob) => void} onPicture
 * @param {(error: Error) => void} onTrouble
 */
export function paintLive(order, onPicture, onTrouble) {
  clearTimeout(resting);
  wish = { order, onPicture, onTrouble, size: QUICK };
  if (!busy) next();
}

/** Nothing is wished for any longer. */
export function stopLive() {
  clearTimeout(resting);
  wish = null;
}

async function next() {
  busy = true;
  while (wish) {
    const now = wish;
    wish = null;
    try {
      const blob = await ask(now);
      if (wish) continue;
      now.onPicture(blob);
      if (now.size === QUICK) resting = setTimeout(() => { wish = { ...now, size: FINE }; if (!busy) next(); }, REST);
    } catch (error) {
      if (error.status === 429 && !wish) { // others are before us: our turn comes
        await new Promise((done) => { setTimeout(done, 1000 * (error.after || 1)); });
        wish ??= now;
      } else if (!wish) now.onTrouble(error);
    }
  }
  busy = false;
}

function ask({ order, size }) {
  const { content, styles, options } = order();
  const { mask: _, size: full, ...rest } = options; // the mask is laid over here
  return fast({ content, styles, options: { ...rest, size: Math.min(size, full || size) }, format: "jpeg" });
}
