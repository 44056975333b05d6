// The jobs that are shown, newest first, page by page. Emits `change` whenever that differs.

import { listJobs } from "./api.js";

const PAGE = 50;
const GATHER_MS = 50;

export class Jobs extends EventTarget {
  filter = { state: "", kind: "" };
  jobs = [];
  /** The id of the last one shown, if there are more. */
  next = null;
  /** `loading` | `ready` | `error` */
  state = "loading";
  problem = null;
  /** What went wrong with "Load more", if anything. */
  moreProblem = null;
  #request = new AbortController();
  #pages = 1;
  /** What was heard while an answer was on its way, which may be the older of the two. */
  #heard = null;
  #timer = null;

  get isFiltered() {
    return Boolean(this.filter.state || this.filter.kind);
  }

  /** Show others, from the newest. */
  async open(filter) {
    Object.assign(this, { filter, jobs: [], next: null, state: "loading", moreProblem: null });
    this.#pages = 1;
    this.#changed();
    await this.refresh();
  }

  /** Ask again for as many as are shown, without blanking them. */
  async refresh() {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    const heard = [];
    this.#heard = heard;
    try {
      const found = [];
      let next = "";
      do {
        const page = await listJobs(this.filter, { after: next, limit: PAGE, signal });
        found.push(...page.jobs);
        next = page.next;
      } while (next && found.length < this.#pages * PAGE);
      Object.assign(this, { jobs: found, next, state: "ready", problem: null });
      this.#heard = null;
      for (const job of heard) this.#take(job);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#heard = null;
      Object.assign(this, { state: "error", problem: error });
    }
    this.#changed();
  }

  /** Append the next page. */
  async more() {
    const { signal } = this.#request;
    try {
      const page = await listJobs(this.filter, { after: this.next, limit: PAGE, signal });
      const known = new Set(this.jobs.map(({ id }) => id));
      Object.assign(this, {
        jobs: [...this.jobs, ...page.jobs.filter(({ id }) => !known.has(id))],
        next: page.next,
        moreProblem: null,
      });
      this.#pages += 1;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.moreProblem = error;
    }
    this.#changed();
  }

  /** Take in how a job stands now; one that lies behind what is shown comes with its page. */
  hear(job) {
    this.#heard?.push(job);
    if (this.state !== "ready" || !this.#take(job)) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#changed();
    }, GATHER_MS);
  }

  /** Answers whether anything shown differs. */
  #take(job) {
    const others = this.jobs.filter(({ id }) => id !== job.id);
    const wanted = this.#wants(job) && !(this.next && job.id < this.jobs.at(-1).id);
    if (!wanted && others.length === this.jobs.length) return false;
    this.jobs = wanted ? [...others, job].sort((one, other) => (one.id < other.id ? 1 : -1)) : others;
    this.#trim();
    return true;
  }

  #wants({ state, kind }) {
    return (!this.filter.state || this.filter.state === state) && (!this.filter.kind || this.filter.kind === kind);
  }

  /** New ones push old ones off the end, so that a page that is left open does not grow. */
  #trim() {
    const most = this.#pages * PAGE;
    if (this.jobs.length <= most) return;
    this.jobs = this.jobs.slice(0, most);
    this.next = this.jobs.at(-1).id;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
