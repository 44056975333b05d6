// Jobs in words.

import { bytes, count, duration, facts, percent, plural } from "../format.js";

/** States in the order of a job's life: icon and name. */
export const STATES = {
  waiting: { icon: "clock", name: "Waiting" },
  running: { icon: "runner", name: "Running" },
  done: { icon: "check", name: "Done" },
  failed: { icon: "alert", name: "Failed" },
  cancelled: { icon: "stopped", name: "Cancelled" },
};

const KINDS = { archive: "Archive", pull: "Pull" };
const LANES = { small: "Small archives", large: "Large archives", pull: "Pulls" };
const ORDINAL = new Intl.PluralRules("en", { type: "ordinal" });
const SUFFIXES = { one: "st", two: "nd", few: "rd", other: "th" };

function capital(name) {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

export function kindName(kind) {
  return KINDS[kind] ?? capital(kind);
}

export function laneName(lane) {
  return LANES[lane] ?? capital(lane);
}

/** `3` → `3rd`. */
export function ordinal(number) {
  return `${number}${SUFFIXES[ORDINAL.select(number)]}`;
}

/** Whether nothing becomes of it any more, unless somebody wants it to. */
export function hasEnded({ state }) {
  return state === "done" || state === "failed" || state === "cancelled";
}

/** Seconds from one time to another, or to now. */
function secondsBetween(from, to) {
  return Math.max(0, ((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000);
}

/** What is done of it, in whole percent; `null` while nobody knows how much there is. */
export function progress(job) {
  if (job.state === "done") return 100;
  return job.total === null ? null : percent(job.done, job.total);
}

/** One word, but for the moments between. */
export function stateName(job) {
  if (job.cancelling && !hasEnded(job)) return "Being cancelled";
  const known = STATES[job.state]?.name ?? capital(job.state);
  const full = job.state === "running" ? progress(job) : null;
  return full === null ? known : `${known}, ${full}\u00a0%`;
}

function amount({ done, total, state }) {
  if (state === "done") return bytes(total ?? done);
  return total === null ? bytes(done) : `${bytes(done)} of ${bytes(total)}`;
}

function files({ files_done: done, files_total: total, state }) {
  if (state === "done") return (total ?? done) > 1 && plural(total ?? done, "file");
  return total !== null && total > 1 && `${count(done)} of ${plural(total, "file")}`;
}

function nextTry({ next_try: at }) {
  const left = at ? (Date.parse(at) - Date.now()) / 1000 : 0;
  return left > 0 ? `next try in ${duration(left)}` : "";
}

/** What can be told behind the name of its state; `paused`: whether its lane is. */
export function standing(job, paused) {
  switch (job.state) {
    case "waiting": {
      const begun = job.done > 0 && amount(job);
      if (paused) return facts("its lane is paused", begun);
      return facts(nextTry(job) || "for its turn", begun);
    }
    case "running":
      return facts(amount(job), files(job), job.eta !== null && `${duration(job.eta)} left`);
    case "done":
      return facts(amount(job), files(job), job.started && `in ${duration(secondsBetween(job.started, job.ended))}`);
    default:
      return facts(job.done > 0 && amount(job), job.done > 0 && files(job));
  }
}
