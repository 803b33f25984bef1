/** The fast method while the sliders move: one request at a time, and the last wish wins. */

import { fast } from "./api.js";

/** Pixels while a slider moves, and once it rests. */
const QUICK = 512;
const FINE = 1024;
/** Pixels below which nothing is painted; smaller photos are enlarged. */
const LEAST = 16;
/** Milliseconds until a finer picture is asked for, and how long it may take: no quick one can be had meanwhile. */
const REST = 1200;
const PATIENCE = 2000;

let wish = null;
let busy = false;
let resting = 0;
let onBusy = () => {};

/** @param {(busy: boolean) => void} callback told when painting begins and ends */
export function watchLive(callback) { onBusy = callback; }

/**
 * Wishes for a picture: soon a small one, and a finer one when no other wish follows.
 * @param {() => any} order what to send, asked when its turn comes
 * @param {number} longest pixels that the picture will have in the end
 * @param {(blob: Blob, fine: boolean) => void} onPicture
 * @param {(error: Error) => void} onTrouble
 */
export function paintLive(order, longest, onPicture, onTrouble) {
  clearTimeout(resting);
  wish = { order, longest, onPicture, onTrouble, size: QUICK };
  if (!busy) next();
}

/** Nothing is wished for any longer; what is on its way is not shown. */
export function stopLive() {
  clearTimeout(resting);
  wish = null;
  current = null;
}

let current = null;

async function next() {
  busy = true;
  onBusy(true);
  while (wish) {
    const now = wish;
    wish = null;
    current = now;
    try {
      const begun = performance.now();
      const blob = await ask(now);
      const times = (Math.min(FINE, now.longest) / QUICK) ** 2; // the work grows with the pixels
      const finer = now.size === QUICK && times > 1 && times * (performance.now() - begun) < PATIENCE;
      if (current !== now) continue;
      await now.onPicture(blob, now.size === FINE); // an older picture is still nearer to the wish than none
      if (!wish && finer) resting = setTimeout(() => again({ ...now, size: FINE }), REST);
    } catch (error) {
      if (current !== now || now.size === FINE) continue; // what is shown is good; it only stays as it is
      if (error.status === 429 && !wish) { // others are before us: our turn comes
        await new Promise((done) => { setTimeout(done, 1000 * (error.after || 1)); });
        if (current === now) wish ??= now;
      } else if (!wish) now.onTrouble(error);
    }
  }
  busy = false;
  onBusy(false);
}

function again(now) {
  wish = now;
  if (!busy) next();
}

function ask({ order, size, longest }) {
  const { content, styles, options } = order();
  const { mask: _, ...rest } = options; // the mask is laid over here
  return fast({ content, styles, options: { ...rest, size: Math.max(LEAST, Math.min(size, longest)) }, format: "jpeg" });
}
