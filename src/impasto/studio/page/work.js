/** A job at work: ordered, watched, cancelled. */

import { get, post } from "./api.js";
import { drawCurve } from "./curve.js";
import { byId, make, say, span } from "./dom.js";

const OPEN = ["queued", "running"];
let source = null;
let watched = null;
let losses = [];

/** Orders a job; the key makes a second click the same job. */
export function order(told) {
  return post("/api/jobs", told, { "Idempotency-Key": crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2) });
}

/**
 * Watches a job until it is over.
 * @param {string} id
 * @param {{onPreview: (url: string, job: any) => void, onEnd: (job: any) => void, onTrouble: (e: Error) => void}} told
 */
export async function watch(id, told) {
  leave();
  watched = id;
  losses = [];
  let job;
  try { job = await get(`/api/jobs/${id}`); } catch (error) { return told.onTrouble(error); }
  if (watched !== id) return undefined;
  if (!OPEN.includes(job.state)) { draw(null); return told.onEnd(job); }
  draw(job);
  if (job.preview) told.onPreview(job.preview, job);
  source = new EventSource(`/api/jobs/${id}/events`);
  const on = (kind, act) => source.addEventListener(kind, (event) => watched === id && act(JSON.parse(event.data)));
  on("state", (data) => { job.state = data.state; draw(job); refreshPlace(job); });
  on("started", (data) => { job.steps = data.steps; draw(job); });
  on("progress", (data) => {
    Object.assign(job, { step: data.step, steps: data.steps, seconds_left: data.seconds_left, state: "running" });
    losses.push({ step: data.step, loss: data.loss, width: data.width });
    draw(job);
  });
  on("preview", (data) => told.onPreview(data.url, job));
  on("notice", (data) => { job.notices = [...job.notices, data.text]; draw(job); say(data.text); });
  on("end", (data) => { leave(); draw(null); told.onEnd(data); });
  source.onerror = () => watched === id && source.readyState === EventSource.CLOSED && again(id, told);
  return undefined;
}

/** The line broke for good, or the server is new: what does the table say? */
function again(id, told) {
  setTimeout(() => watched === id && watch(id, told), 1500);
}

/** Looks away; the job goes on. */
export function leave() {
  source?.close();
  source = null;
  watched = null;
}

/** Asks the job that is watched to stop; says so before the server has answered. */
export async function cancel() {
  if (!watched) return;
  byId("cancel").disabled = true;
  byId("progress-text").textContent = "Stopping after this step";
  await post(`/api/jobs/${watched}/cancel`);
}

/** Where a waiting job stands changes with the others. */
async function refreshPlace(job) {
  while (watched === job.id && job.state === "queued") {
    await new Promise((done) => { setTimeout(done, 2000); });
    const now = await get(`/api/jobs/${job.id}`).catch(() => null);
    if (now && watched === job.id && job.state === "queued") { job.position = now.position; draw(job); }
  }
}

function draw(job) {
  byId("work").hidden = !job;
  if (!job) return;
  byId("cancel").disabled = Boolean(job.cancelling);
  const bar = byId("progress");
  if (job.steps) bar.max = job.steps;
  if (job.step) bar.value = job.step; else bar.removeAttribute("value");
  byId("progress-text").textContent = line(job);
  byId("notices").replaceChildren(...job.notices.map((text) => make("li", {}, text)));
  drawCurve(byId("curve"), losses);
}

function line(job) {
  if (job.state === "queued") return job.position ? `Waiting; ${job.position} before it` : "Waiting; next in line";
  if (!job.step) return "Getting ready";
  const left = job.seconds_left == null ? "" : `, ${span(job.seconds_left)} left`;
  return `Step ${job.step} of ${job.steps}${left}`;
}
