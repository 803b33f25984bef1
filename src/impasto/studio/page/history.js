/** What was painted: the jobs that the server keeps, the same in every tab and after a restart. */

import { get, remove } from "./api.js";
import { button, byId, make, say, span, stem, tell } from "./dom.js";
import { called } from "./method.js";
import { isId } from "./schema.js";
import { state } from "./state.js";
import { sure } from "./sure.js";

const OPEN = ["queued", "running"];
/** Milliseconds between looks: while something is painted, and while nothing is. */
const OFTEN = 2000;
const SELDOM = 8000;
const PAGE = 24;
/** What is answered to somebody whose token is not, or no longer, known. */
const NOBODY = 401;
const STATES = { queued: "waiting", running: "painting", done: "", failed: "failed", cancelled: "stopped" };

let jobs = [];
let older = [];
let told = { open: () => {}, gone: () => {}, back: () => {} };
let shown = "";
let timer = 0;
let away = ""; // why nothing is heard

/**
 * @param {{open: (job: any) => void, forgotten: (id: string) => void, gone: () => void, back: () => void}} callbacks
 *   what to do when a job is clicked or deleted, when the server is away and when it is back
 */
export async function openHistory(callbacks) {
  told = callbacks;
  byId("older").addEventListener("click", more);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refreshHistory());
  addEventListener("online", () => refreshHistory());
  await refreshHistory();
}

/** Reads the newest jobs again; notices when the server is away and when it is back. */
export async function refreshHistory() {
  clearTimeout(timer);
  try {
    take(await get(`/api/jobs?limit=${PAGE}`));
    if (away) { away = ""; told.back(); }
    await missShown();
    tell("", "history-trouble");
    drawHistory();
  } catch (error) {
    if (error.status && error.status !== NOBODY) tell(error.message, "history-trouble");
    else if (away !== error.message) { away = error.message; told.gone(error); }
  }
  clearTimeout(timer);
  timer = setTimeout(() => (document.visibilityState === "visible" ? refreshHistory() : undefined),
    away || jobs.some(isOpen) ? OFTEN : SELDOM);
}

/** The newest page; what it pushes out goes to the older ones, when these are shown. */
function take(newest) {
  const out = newest.length < PAGE ? [] : jobs.filter(({ created }) => created < newest.at(-1).created);
  const apart = out.length > 0 && out.length === jobs.length; // there may be others between: all are shown when asked for
  if (newest.length < PAGE || apart) older = [];
  else if (older.length) older = [...out, ...older];
  jobs = newest;
}

/** The job that is looked at may have been deleted in another tab. */
async function missShown() {
  const id = state.job;
  if (!id || all().some((job) => job.id === id)) return;
  await get(`/api/jobs/${id}`).catch((error) => error.status === 404 && told.forgotten(id));
}

const isOpen = (job) => OPEN.includes(job.state);

async function more() {
  try {
    const found = await get(`/api/jobs?limit=${PAGE}&before=${all().at(-1).created}`);
    older = [...older, ...found];
    byId("older").hidden = found.length < PAGE;
    drawHistory();
  } catch (error) { tell(error.message, "history-trouble"); }
}

function all() {
  const known = new Set(jobs.map(({ id }) => id));
  return [...jobs, ...older.filter(({ id }) => !known.has(id))];
}

/** Draws the list where it has changed. */
export function drawHistory() {
  const now = JSON.stringify([state.job, all().map((job) => [job.id, job.state, job.step, job.preview, job.result?.id])]);
  if (now === shown) return;
  shown = now;
  byId("history-empty").hidden = all().length > 0;
  if (!older.length) byId("older").hidden = jobs.length < PAGE;
  const focused = document.activeElement?.dataset?.key;
  byId("history").replaceChildren(...all().map(card));
  if (focused) document.querySelector(`[data-key="${focused}"]`)?.focus();
}

/** Where there is no picture yet, or none any more: faintly, what it was to be painted from. */
const origin = ({ content, styles: [style] }) => {
  const id = content || style;
  return isId(id) ? `/api/pictures/${id}/thumbnail` : `/api/styles/${id}/thumbnail`;
};

function picture(job) {
  const src = job.result?.thumbnail || job.preview;
  const image = make("img", { src: src || origin(job), alt: "", className: src ? "" : "faint", loading: "lazy" });
  image.addEventListener("error", () => image.remove()); // it is deleted
  return image;
}

function card(job) {
  const open = button("", "card", () => told.open(job), { "data-key": `open-${job.id}`, "aria-current": String(job.id === state.job) });
  open.append(make("span", { className: "pic" }, picture(job)),
    make("span", { className: "card-name" }, stem(job.label).replaceAll("-", " ")), make("span", { className: "card-line" }, line(job)));
  if (isOpen(job)) return make("li", { className: "at-work" }, open);
  const gone = button("×", "away", () => forget(job), { "aria-label": `Delete ${job.label}, ${called(job.method)}`, "data-key": `away-${job.id}` });
  return make("li", {}, open, gone);
}

function line(job) {
  const what = job.job === "stylize" ? called(job.method) : `${job.job}, ${called(job.method)}`;
  if (job.state === "running" && job.steps) return `${what}, ${Math.floor((100 * job.step) / job.steps)} %`;
  if (job.state === "done") return [what, job.result ? `${job.result.width} × ${job.result.height}` : span(job.seconds)].join(", ");
  return `${what}, ${STATES[job.state]}`;
}

async function forget(job) {
  if (job.result && !await sure(`Delete ${job.label}? The picture cannot be brought back.`)) return;
  try { await remove(`/api/jobs/${job.id}`); } catch (error) {
    if (error.status !== 404) { tell(error.message, "history-trouble"); return; }
  }
  jobs = jobs.filter(({ id }) => id !== job.id);
  older = older.filter(({ id }) => id !== job.id);
  say(`${job.label} is deleted`);
  told.forgotten(job.id);
  drawHistory();
  byId("history-title").focus();
}
