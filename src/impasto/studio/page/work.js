/** A job at work: ordered, watched, cancelled. */

import { get, post, Trouble } from "./api.js";
import { drawCurve } from "./curve.js";
import { byId, make, say, span } from "./dom.js";

const OPEN = ["queued", "running"];
/** Milliseconds between looks at the place in the queue, and before a broken line is tried again. */
const PLACE = 2000;
const AGAIN = 1500;
/** Tries at a studio that is busy, before its answer is shown as trouble. */
const TRIES = 20;

let source = null;
let watched = null;
let losses = [];
let frame = 0;
let quarter = 0;
let made = 0; // steps of the job that is watched
let broken = false; // whether it was interrupted: what was painted before is perhaps kept
let callbacks = null;

/** What was sent and not answered: the same wish, asked again, is the same job. */
let unsure = { wish: "", key: "" };

/**
 * Orders a job. A studio that is busy is asked again when it said so, one that does not answer a little later; the key
 * makes two askings one job, as long as it is not known what became of the first.
 * @param {any} told @param {(text: string) => void} onWait called with what is waited for
 * @param {AbortSignal} stop @returns {Promise<any>} the job; null when it was stopped before there was one
 */
export async function order(told, onWait, stop) {
  const wish = JSON.stringify(told);
  const key = unsure.wish === wish ? unsure.key : fresh();
  for (let n = 1; ; n += 1) {
    try {
      unsure = { wish, key };
      const job = await post("/api/jobs", told, { "Idempotency-Key": key });
      unsure = { wish: "", key: "" };
      return job;
    } catch (error) {
      const answered = error instanceof Trouble && error.status > 0 && error.status < 500;
      if (answered) unsure = { wish: "", key: "" };
      const passing = error.status === 429 || !error.status;
      if (!passing || n >= TRIES) throw error;
      const why = error.status ? `The studio is busy: ${error.message}.` : "The studio does not answer.";
      const seconds = error.after || 2;
      onWait(`${why} Trying again in ${span(seconds)}.`);
      if (!stop.aborted) await pause(seconds, stop);
      if (stop.aborted) return null;
    }
  }
}

const fresh = () => (crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`);

/** Less when somebody stops. */
const pause = (seconds, stop) => new Promise((done) => {
  const timer = setTimeout(done, 1000 * seconds);
  stop.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
});

/**
 * Watches a job until it is over.
 * @param {string} id
 * @param {{onPreview: (url: string, job: any) => void, onJob: (job: any) => void, onEnd: (job: any) => void,
 *   onTrouble: (e: Error) => void}} told
 */
export async function watch(id, told) {
  leave();
  callbacks = told;
  watched = id;
  losses = [];
  quarter = made = 0;
  let job;
  try { job = await get(`/api/jobs/${id}`); } catch (error) {
    if (watched !== id) return;
    if (error.status) told.onTrouble(error); else again(id, told);
    return;
  }
  if (watched !== id) return;
  made = job.step;
  broken = job.state === "queued" && Boolean(job.started);
  told.onJob(job);
  if (!OPEN.includes(job.state)) { leave(); told.onEnd(job); return; }
  draw(job);
  if (job.preview) told.onPreview(job.preview, job);
  listen(id, job, told);
  followPlace(job);
}

function listen(id, job, told) {
  source = new EventSource(`/api/jobs/${id}/events`);
  const on = (kind, act) => source.addEventListener(kind, (event) => watched === id && act(JSON.parse(event.data)));
  on("state", (data) => {
    broken ||= job.state === "running" && data.state === "queued";
    job.state = data.state;
    draw(job);
  });
  on("started", (data) => { job.steps = data.steps; losses = []; quarter = made = 0; draw(job); }); // of another attempt, perhaps
  on("progress", (data) => {
    Object.assign(job, { step: data.step, steps: data.steps, seconds_left: data.seconds_left, state: "running" });
    made = data.step;
    losses.push({ step: data.step, loss: data.loss, width: data.width });
    draw(job);
  });
  on("preview", (data) => told.onPreview(data.url, job));
  on("notice", (data) => {
    if (!job.notices.includes(data.text)) { job.notices = [...job.notices, data.text]; say(data.text); }
    draw(job);
  });
  on("end", (data) => { leave(); told.onEnd(data); });
  // The browser itself comes back after a break; only when it gives up do we begin anew.
  source.onerror = () => watched === id && source.readyState === EventSource.CLOSED && again(id, told);
}

/** The line broke for good, or the server is new: what does the table say? */
function again(id, told) {
  setTimeout(() => watched === id && watch(id, told), AGAIN);
}

/** A tab that nobody sees keeps no line: browsers have six for all tabs together. */
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") source?.close();
  else if (watched) watch(watched, callbacks);
});

/** Looks away; the job goes on. */
export function leave() {
  source?.close();
  source = null;
  watched = null;
  cancelAnimationFrame(frame);
  byId("work").hidden = true;
}

/** Asks the job that is watched to stop; says so before the server has answered. */
export async function cancel() {
  if (!watched) return;
  const [id, press] = [watched, byId("cancel")];
  press.disabled = true;
  byId("progress-text").textContent = stopping();
  say(stopping());
  try {
    const { state } = await post(`/api/jobs/${id}/cancel`);
    if (state === "queued" && press.dataset.job === id) press.disabled = false; // told once more, it ends at once
  } catch (error) {
    if (press.dataset.job === id) { // not if another job is looked at meanwhile
      press.disabled = false;
      byId("progress-text").textContent = "Not stopped; try again";
    }
    throw error;
  }
}

/** Before the first step there is nothing to keep, and the fast method has none. */
const stopping = () => {
  if (made) return "Stopping after the present step; what is painted so far is kept";
  return broken ? "Stopping; what was painted before is kept when a worker has read it" : "Stopping; nothing is painted yet that could be kept";
};

/** Where a waiting job stands changes with the others. */
async function followPlace(job) {
  while (watched === job.id && job.state === "queued") {
    await new Promise((done) => { setTimeout(done, PLACE); });
    const now = await get(`/api/jobs/${job.id}`).catch(() => null);
    if (now && watched === job.id && job.state === "queued") { Object.assign(job, { position: now.position, cancelling: now.cancelling }); draw(job); }
  }
}

/** Many events may come at once, after a refresh; one drawing does for them all. */
function draw(job) {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => watched === job.id && drawNow(job));
}

function drawNow(job) {
  byId("work").hidden = false;
  const asked = byId("cancel").disabled && byId("cancel").dataset.job === job.id;
  byId("cancel").dataset.job = job.id;
  byId("cancel").disabled = asked || (job.cancelling && job.state === "running");
  const bar = byId("progress");
  if (job.steps) bar.max = job.steps;
  if (job.step) bar.value = job.step; else bar.removeAttribute("value");
  byId("progress-text").textContent = byId("cancel").disabled || job.cancelling ? stopping() : line(job);
  byId("notices").replaceChildren(...job.notices.map((text) => make("li", {}, text)));
  byId("notices").hidden = !job.notices.length;
  drawCurve(byId("curve"), losses);
  sayQuarters(job);
}

/** Whoever listens hears of every quarter, not of every step. */
function sayQuarters(job) {
  const now = job.steps ? Math.floor((4 * job.step) / job.steps) : 0;
  if (now > quarter && now < 4) say(`${25 * now} percent painted, ${span(job.seconds_left)} left`);
  quarter = Math.max(quarter, now);
}

function line(job) {
  if (job.state === "queued") return job.position ? `Waiting in line, ${job.position} before it` : "Waiting, next in line";
  if (!job.step) return "Getting ready";
  const left = job.seconds_left === null ? "" : `, ${span(job.seconds_left)} left`;
  return `Step ${job.step} of ${job.steps}${left}`;
}
