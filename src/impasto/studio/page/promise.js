/** Where pictures are, and for how long: only what the server knows. A browser cannot know whose machine that is: through
 * a tunnel or a proxy it looks like its own. */

const DAY = 86400;

/** @param {{local: boolean, keep_seconds: number, keep_bytes: number}} limits as /api/limits tells them */
export function promise({ local, keep_seconds: seconds, keep_bytes: bytes }) {
  const where = local ? "Your pictures stay on the machine that runs this studio; it sends them nowhere."
    : "Your pictures stay on the machine that runs this studio and where it keeps them; it sends them nowhere else.";
  return `${where} They are deleted after ${term(seconds)}, the oldest sooner when there are more than ${size(bytes)}.`;
}

/** 2592000 -> 30 days. */
function term(seconds) {
  const [one, unit] = [[DAY, "day"], [3600, "hour"], [60, "minute"]].find(([long]) => seconds >= long) || [1, "second"];
  const count = Math.round(seconds / one);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** 10000000000 -> 10 GB. */
const size = (bytes) => (bytes >= 1e9 ? `${Math.round(bytes / 1e9)} GB` : `${Math.round(bytes / 1e6)} MB`);
