// The page of one job: how it stands, what it has made, what it has noted.

import { announce } from "../announce.js";
import { byId, reconcile, setText } from "../dom.js";
import { count, rate, sentence } from "../format.js";
import { notifyProblem } from "../notices.js";
import { Spark } from "../spark.js";
import { actionButtons, actionsOf } from "./actions.js";
import { eventsOf, getJob, getLog } from "./api.js";
import { codeFact, showFacts, timeFact } from "./facts.js";
import { showLog } from "./log.js";
import { hideResult, showResult } from "./result.js";
import { stateIcon } from "./state-icon.js";
import { hasEnded, kindName, laneName, progress, standing, stateName } from "./words.js";

const TICK_MS = 1000;
const LOG_MS = 3000;

export class JobPage {
  #live;
  #lanes;
  #job = null;
  #id = null;
  #request = new AbortController();
  #spark = new Spark(byId("job-spark"));
  #logAt = 0;

  constructor(live, lanes) {
    this.#live = live;
    this.#lanes = lanes;
    lanes.addEventListener("change", () => this.#draw());
    byId("job-reload").addEventListener("click", () => this.open(this.#id));
    setInterval(() => this.#draw(), TICK_MS);
  }

  /** Show a job, and watch it until it ends. */
  async open(id) {
    this.close();
    this.#id = id;
    const { signal } = this.#request;
    try {
      const job = await getJob(id, signal);
      if (signal.aborted) return;
      this.#hear(job);
      if (!hasEnded(job)) this.#watch();
    } catch (error) {
      if (error.name !== "AbortError") this.#missing(error);
    }
  }

  close() {
    this.#request.abort();
    this.#request = new AbortController();
    this.#id = null;
    this.#job = null;
    this.#spark.clear();
    setText(byId("job-title"), "Job");
    byId("job-actions").replaceChildren();
    byId("job-parts").hidden = true;
    byId("job-missing").hidden = true;
    hideResult();
    showLog([]);
  }

  #watch() {
    const hear = (job) => this.#hear(job);
    this.#live.watch(eventsOf(this.#id), { progress: hear, done: hear, failed: hear, cancelled: hear });
  }

  #hear(job) {
    if (job.id !== this.#id) return; // a late answer about one that is no longer shown
    const before = this.#job;
    this.#job = job;
    if (job.state === "running") this.#spark.push(job.rate ?? 0);
    this.#draw();
    const turned = before?.state !== job.state || before.attempts !== job.attempts;
    if (turned) this.#load(() => showResult(job, this.#request.signal));
    if (turned || performance.now() - this.#logAt > LOG_MS) this.#loadLog();
    if (!turned || !before) return;
    announce(`${stateName(job)}.`);
    if (hasEnded(job)) this.#live.close();
    else if (hasEnded(before)) this.#watch();
  }

  #loadLog() {
    this.#logAt = performance.now();
    const { signal } = this.#request;
    this.#load(async () => {
      const lines = await getLog(this.#id, signal);
      if (!signal.aborted) showLog(lines);
    });
  }

  /** What goes with a job; if it cannot be had the job itself is shown still. Of a server that is gone the page tells already. */
  async #load(work) {
    try {
      await work();
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 0) notifyProblem("Not all of this job could be shown", error);
    }
  }

  #missing(error) {
    byId("job-missing").hidden = false;
    setText(byId("job-missing-detail"), error.detail ?? error.message);
    announce(`This job could not be shown. ${error.detail ?? error.message}`);
  }

  #draw() {
    const job = this.#job;
    if (!job) return;
    byId("job-parts").hidden = false;
    document.title = `${job.title} · Penstock`;
    setText(byId("job-title"), job.title);
    this.#drawNow(job);
    this.#drawError(job);
    this.#drawAbout(job);
    this.#drawActions(job);
  }

  #drawNow(job) {
    const runs = job.state === "running";
    const state = byId("job-state");
    const text = stateName(job);
    if (state.textContent !== text || state.dataset.state !== job.state) {
      state.dataset.state = job.state;
      state.replaceChildren(stateIcon(job.state), text);
    }
    setText(byId("job-note"), standing(job, this.#lanes.isPaused(job.lane)));
    setText(byId("job-rate"), runs && job.rate ? rate(job.rate) : "");
    byId("job-spark").toggleAttribute("hidden", !runs);
    const full = progress(job);
    const pipe = byId("job-pipe");
    pipe.hidden = full === null || job.state === "done";
    pipe.classList.toggle("flows", runs);
    pipe.setAttribute("aria-valuenow", full ?? 0);
    pipe.firstElementChild.style.width = `${full ?? 0}%`;
  }

  #drawError({ state, error }) {
    const box = byId("job-error");
    box.hidden = !error || state === "done";
    if (!error) return;
    const lead = state === "failed" ? "" : "The last attempt broke off: ";
    setText(box, `${lead}${lead ? error.detail : sentence(error.detail)}${lead ? "" : ` (${error.code})`}`);
  }

  #drawAbout(job) {
    const paused = this.#lanes.isPaused(job.lane) ? " (paused)" : "";
    showFacts(byId("about"), [
      ["Kind", kindName(job.kind)],
      ["Lane", `${laneName(job.lane)}${paused}`],
      ["Attempts", count(job.attempts)],
      ["Created", timeFact(job.created)],
      ["Started", timeFact(job.started)],
      ["Next try", job.state === "waiting" && timeFact(job.next_try)],
      ["Ended", timeFact(job.ended)],
      ["Id", codeFact(job.id)],
    ]);
  }

  /** The buttons that have the focus and go leave it to the heading. */
  #drawActions(job) {
    const holder = byId("job-actions");
    const actions = actionsOf(job);
    if (holder.dataset.actions === actions && holder.children.length > 0) return;
    holder.dataset.actions = actions;
    const focused = holder.contains(document.activeElement);
    reconcile(holder, actionButtons(job, (now) => this.#hear(now)));
    if (focused) (holder.querySelector("button") ?? byId("job-title")).focus();
  }
}
