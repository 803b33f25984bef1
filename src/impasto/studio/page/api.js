/** What the server is asked, and how its troubles are told. */

/** An answer of 400 and above: the server's one line, and when to come again. */
export class Trouble extends Error {
  /** @param {string} message @param {number} status @param {number} after seconds to wait, 0 if not told */
  constructor(message, status, after = 0) {
    super(message);
    this.status = status;
    this.after = after;
  }
}

/** The line broke while a picture was on it, which is not sent again by itself. */
const BROKE = "The picture did not arrive: the studio does not answer. Give it again when it does.";

/** The server cannot be reached. */
export const GONE = "The studio does not answer. Is it still running? This page goes on as soon as it does.";

async function trouble(response) {
  let told = response.statusText || "the studio refused";
  try { told = (await response.json()).error || told; } catch { /* not ours: the status has to do */ }
  return new Trouble(told, response.status, Number(response.headers.get("Retry-After")) || 0);
}

async function ask(path, { method = "GET", body, signal, headers } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method, signal,
      headers: { ...(body ? { "Content-Type": "application/json" } : {}), ...headers },
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(GONE, 0);
  }
  if (!response.ok) throw await trouble(response);
  return response;
}

/** @returns {Promise<any>} JSON of a path, null when there is none. */
export async function get(path) {
  const response = await ask(path);
  return response.status === 204 ? null : response.json();
}

/** Sends JSON and returns JSON. */
export async function post(path, body = {}, headers = {}) {
  return (await ask(path, { method: "POST", body, headers })).json();
}

/** Deletes what the path names. */
export async function remove(path) {
  await ask(path, { method: "DELETE" });
}

/** A picture by the fast method, at once. @returns {Promise<Blob>} */
export async function fast(order) {
  return (await ask("/api/fast", { method: "POST", body: order })).blob();
}

let most = Infinity;

/** Hears how large a picture may be. @param {{upload_bytes: number}} limits as /api/limits tells them */
export function bound(limits) { most = limits.upload_bytes; }

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/**
 * Uploads a picture; one that is too large for the server is not sent at all. fetch tells nothing of how far it is, so this is the older way.
 * @param {Blob} file @param {"photo"|"style"|"mask"} kind @param {(share: number) => void} onProgress
 */
export function upload(file, kind, onProgress = () => {}) {
  if (file.size > most) {
    return Promise.reject(new Trouble(`the picture has ${megabytes(file.size)}; mend: at most ${megabytes(most)}`, 413));
  }
  const form = new FormData();
  form.append("file", file, file.name || "pasted.png");
  form.append("kind", kind);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/pictures");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(new Trouble(BROKE, 0));
    request.onload = () => {
      if (request.status === 201) resolve(request.response);
      else reject(new Trouble(request.response?.error || "the picture was refused", request.status));
    };
    request.send(form);
  });
}
