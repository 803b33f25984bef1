/** The fast method while the sliders move: one request at a time, and the last wish wins. */

import { fast } from "./api.js";

/** Pixels while a slider moves, and once it rests. */
const QUICK = 512;
const FINE = 1024;
/** Milliseconds in which a slider's picture should be there; where fine strokes take longer, a smaller one comes first,
 * of at least so many pixels. */
const SOON = 900;
const SMALL = 192;
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
 * @param {(blob: Blob) => void} onPicture
 * @param {(error: Error) => void} onTrouble
 */
export function paintLive(order, longest, onPicture, onTrouble) {
  clearTimeout(resting);
  wish = { order, longest, onPicture, onTrouble, size: 0 };
  if (!busy) next();
}

/** Nothing is wished for any longer; what is on its way is not shown. */
export function stopLive() {
  clearTimeout(resting);
  wish = null;
  current = null;
}

let current = null;

/** Milliseconds for each pixel that the network works on, as the last picture had it; the first one, for which all is
 * loaded, says nothing of the next small one, but that a large one may keep others waiting it does. */
let pace = 0;
let warm = false;

/** Pixels that are worked on for a picture of this long side: its own, or more where strokes are finer. */
const work = (size, scale) => (size / Math.min(1, scale)) ** 2;

/** Of a tiny picture nearly all is the way there and back, which tells nothing of larger ones. */
function learn(milliseconds, size, scale) {
  if (size < SMALL) return;
  warm = pace > 0;
  pace = milliseconds / work(size, scale);
}

/** The long side of the picture that comes first. */
function soon(scale) {
  const side = warm ? Math.sqrt(SOON / pace) * Math.min(1, scale) : QUICK;
  return side >= QUICK ? QUICK : Math.max(SMALL, 32 * Math.floor(side / 32));
}

/** The next finer picture's long side; none when it would keep others waiting. */
function finer({ size, longest }, scale) {
  const aim = Math.min(size < QUICK ? QUICK : FINE, longest);
  return aim > size && (aim <= QUICK || pace * work(aim, scale) < PATIENCE) ? aim : 0;
}

async function next() {
  busy = true;
  onBusy(true);
  while (wish) {
    const now = wish;
    wish = null;
    current = now;
    const first = !now.size;
    try {
      const { content, styles, options } = now.order();
      const scale = options.style_scale ?? 1;
      if (first) now.size = Math.max(LEAST, Math.min(soon(scale), now.longest));
      const begun = performance.now();
      const blob = await ask(content, styles, options, now.size);
      learn(performance.now() - begun, now.size, scale);
      if (current !== now) continue;
      await now.onPicture(blob); // an older picture is still nearer to the wish than none
      const size = finer(now, scale);
      if (!wish && size) resting = setTimeout(() => again({ ...now, size }), size > QUICK ? REST : 0);
    } catch (error) {
      if (current !== now || !first) continue; // what is shown is good; it only stays as it is
      if (error.status === 429 && !wish) { // others are before us: our turn comes
        await new Promise((done) => { setTimeout(done, 1000 * (error.after || 1)); });
        if (current === now) wish ??= { ...now, size: 0 };
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

function ask(content, styles, options, size) {
  const { mask: _, ...rest } = options; // the mask is laid over here
  return fast({ content, styles, options: { ...rest, size }, format: "jpeg" });
}
