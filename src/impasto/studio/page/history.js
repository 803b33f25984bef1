/** What was painted: the jobs that the server keeps, the same in every tab and after a restart. */

import { get, remove } from "./api.js";
import { byId, make, say, span, tell } from "./dom.js";

const OPEN = ["queued", "running"];
const EVERY = 3000;
const PAGE = 24;
const STATES = { queued: "waits", running: "is painted", done: "", failed: "failed", cancelled: "stopped" };

let jobs = [];
let older = [];
let onOpen = () => {};
let shown = "";

/** @param {(job: any) => void} open what to do when one is clicked */
export async function openHistory(open) {
  onOpen = open;
  byId("older").addEventListener("click", more);
  await refreshHistory();
  setInterval(() => document.visibilityState === "visible" && refreshHistory(), EVERY);
}

/** Reads the newest jobs again; says when the server is away and when it is back. */
export async function refreshHistory() {
  try {
    jobs = await get(`/api/jobs?limit=${PAGE}`);
    if (byId("trouble").dataset.gone) { tell(""); delete byId("trouble").dataset.gone; }
  } catch (error) {
    if (error.status === 0) { tell(error.message); byId("trouble").dataset.gone = "yes"; }
    return;
  }
  draw();
}

/** One of those that are listed. */
export const jobOf = (id) => [...jobs, ...older].find((job) => job.id === id);

async function more() {
  const last = [...jobs, ...older].at(-1);
  const found = await get(`/api/jobs?limit=${PAGE}&before=${last.created}`);
  older = [...older, ...found];
  byId("older").hidden = found.length < PAGE;
  draw();
}

function draw() {
  const known = new Set(jobs.map(({ id }) => id));
  const all = [...jobs, ...older.filter(({ id }) => !known.has(id))];
  const now = JSON.stringify(all.map(({ id, state, step, preview }) => [id, state, step, preview]));
  if (now === shown) return;
  shown = now;
  byId("history-empty").hidden = all.length > 0;
  if (!older.length) byId("older").hidden = jobs.length < PAGE;
  const focused = document.activeElement?.dataset?.key;
  byId("history").replaceChildren(...all.map(card));
  if (focused) document.querySelector(`[data-key="${focused}"]`)?.focus();
}

function card(job) {
  const picture = job.result?.thumbnail || job.preview;
  const open = make("button", { type: "button", className: "card", "data-key": `open-${job.id}` },
    picture ? make("img", { src: picture, alt: "", loading: "lazy" }) : make("span", { className: "blank" }),
    make("span", { className: "card-name" }, job.label),
    make("span", { className: "card-line" }, line(job)));
  open.addEventListener("click", () => onOpen(job));
  if (OPEN.includes(job.state)) return make("li", { className: "at-work" }, open);
  const away = make("button", { type: "button", className: "away", "aria-label": `Delete ${job.label}, ${job.method}`, "data-key": `away-${job.id}` }, "×");
  away.addEventListener("click", () => forget(job));
  return make("li", {}, open, away);
}

function line(job) {
  const what = job.job === "stylize" ? job.method : `${job.job}, ${job.method}`;
  if (job.state === "running" && job.steps) return `${what}, ${Math.floor((100 * job.step) / job.steps)} %`;
  const state = STATES[job.state];
  return [what, state || span(job.seconds)].filter(Boolean).join(", ");
}

async function forget(job) {
  try {
    await remove(`/api/jobs/${job.id}`);
    jobs = jobs.filter(({ id }) => id !== job.id);
    older = older.filter(({ id }) => id !== job.id);
    say(`${job.label} is deleted`);
    draw();
    byId("history-title").focus();
  } catch (error) { tell(error.message); }
}
