// Jobs, lanes and archives over the HTTP interface. Whatever fails, fails as a Problem.

import { call } from "../api.js";

const jobUrl = (id) => `/v1/jobs/${encodeURIComponent(id)}`;

/** Where the events of all jobs, or of one, come from. */
export const ALL_EVENTS = "/v1/jobs/events";
export const eventsOf = (id) => `${jobUrl(id)}/events`;

async function json(url, options) {
  return (await call(url, options)).json();
}

function sent(method, body) {
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

/** One page, the newest first: `{jobs, next}`. */
export function listJobs({ state, kind }, { after = "", limit, signal }) {
  const query = new URLSearchParams({ limit });
  for (const [name, value] of Object.entries({ state, kind, after })) if (value) query.set(name, value);
  return json(`/v1/jobs?${query}`, { signal });
}

export function getJob(id, signal) {
  return json(jobUrl(id), { signal });
}

/** `[{number, at, text}]`, the oldest first. */
export async function getLog(id, signal) {
  return (await json(`${jobUrl(id)}/log`, { signal })).lines;
}

export function cancelJob(id) {
  return json(jobUrl(id), { method: "DELETE" });
}

export function retryJob(id) {
  return json(`${jobUrl(id)}/retry`, { method: "POST" });
}

/** `[{name, paused, waiting, running, done, failed, cancelled}]` */
export async function listLanes() {
  return (await json("/v1/lanes")).lanes;
}

/** Hold a lane back, or let it go on; answers the lane. */
export function pauseLane(name, paused) {
  return json(`/v1/lanes/${encodeURIComponent(name)}`, sent("PUT", { paused }));
}

/** What a job of kind `archive` or `pull` has made so far. */
export function getArchive(id, signal) {
  return json(`/v1/archives/${encodeURIComponent(id)}`, { signal });
}

export function getPull(id, signal) {
  return json(`/v1/pulls/${encodeURIComponent(id)}`, { signal });
}

/** What an archive would take. */
export function planArchive(wish, signal) {
  return json("/v1/archives/plan", { ...sent("POST", wish), signal });
}

/** Answers the archive, and whether it is a new one. */
export async function beginArchive(wish) {
  const response = await call("/v1/archives", sent("POST", wish));
  return { archive: await response.json(), isNew: response.status === 202 };
}
