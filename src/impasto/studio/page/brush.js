/** A brush on a plane of numbers from 0 to 255: nothing of the page, only paint. */

/** @typedef {{data: Uint8ClampedArray, width: number, height: number}} Plane */

/** @returns {Plane} an empty plane */
export const blank = (width, height) => ({ data: new Uint8ClampedArray(width * height), width, height });

/**
 * One stroke from a place to another: everything nearer to the line than the radius, softer towards its edge. Where it
 * is already whiter it stays so; crossing one's own stroke changes nothing.
 * @param {Plane} plane @param {{x: number, y: number}} from @param {{x: number, y: number}} to
 * @param {{radius: number, soft: number, erase: boolean}} brush radius in pixels, soft from 0 to 1
 * @returns {{x: number, y: number, width: number, height: number}} what has changed
 */
export function stroke(plane, from, to, { radius, soft, erase }) {
  const left = Math.max(0, Math.floor(Math.min(from.x, to.x) - radius));
  const top = Math.max(0, Math.floor(Math.min(from.y, to.y) - radius));
  const right = Math.min(plane.width, Math.ceil(Math.max(from.x, to.x) + radius) + 1);
  const bottom = Math.min(plane.height, Math.ceil(Math.max(from.y, to.y) + radius) + 1);
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy || 1;
  const edge = Math.max(1, radius * soft);
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      const along = Math.max(0, Math.min(1, ((x - from.x) * dx + (y - from.y) * dy) / length));
      const far = Math.hypot(x - from.x - along * dx, y - from.y - along * dy);
      const ink = 255 * smooth((radius - far) / edge);
      const n = y * plane.width + x;
      plane.data[n] = erase ? Math.min(plane.data[n], 255 - ink) : Math.max(plane.data[n], ink);
    }
  }
  return { x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) };
}

/** White becomes black. @param {Plane} plane */
export function invert(plane) {
  for (let n = 0; n < plane.data.length; n += 1) plane.data[n] = 255 - plane.data[n];
}

/** @param {Plane} plane @returns {boolean} whether nothing is painted */
export const isEmpty = (plane) => !plane.data.some((value) => value > 8);

/** As pixels of one colour whose opacity is the plane. @returns {ImageData} */
export function tinted(plane, [red, green, blue], share, { x, y, width, height }) {
  const image = new ImageData(width, height);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const ink = plane.data[(y + row) * plane.width + x + column];
      image.data.set([red, green, blue, ink * share], 4 * (row * width + column));
    }
  }
  return image;
}

/** As a grey picture. @returns {ImageData} */
export function grey(plane) {
  const image = new ImageData(plane.width, plane.height);
  for (let n = 0; n < plane.data.length; n += 1) image.data.set([plane.data[n], plane.data[n], plane.data[n], 255], 4 * n);
  return image;
}

const smooth = (share) => {
  const t = Math.max(0, Math.min(1, share));
  return t * t * (3 - 2 * t);
};
