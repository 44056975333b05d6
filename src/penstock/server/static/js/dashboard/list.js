// The list of jobs, with its filters and its loading, empty and error states.

import { announce } from "../announce.js";
import { byId, h, reconcile, setText } from "../dom.js";
import { plural } from "../format.js";
import { listUrl } from "./route.js";
import { jobRow } from "./row.js";
import { STATES } from "./words.js";

const TICK_MS = 1000;

export class List {
  #jobs;
  #lanes;
  #rows = new Map();
  #announced = null;

  constructor(jobs, lanes) {
    this.#jobs = jobs;
    this.#lanes = lanes;
    jobs.addEventListener("change", () => this.#draw());
    lanes.addEventListener("change", () => this.#drawRows());
    byId("kind").addEventListener("change", ({ target }) => {
      location.hash = listUrl({ ...jobs.filter, kind: target.value });
    });
    byId("load-more").addEventListener("click", () => this.#more());
    byId("list-retry").addEventListener("click", () => jobs.open(jobs.filter));
    byId("rows").addEventListener("keydown", (event) => this.#moved(event));
    setInterval(() => !byId("view-jobs").hidden && this.#drawRows(), TICK_MS);
  }

  #draw() {
    const { state, jobs, next, problem, moreProblem } = this.#jobs;
    const empty = state === "ready" && jobs.length === 0;
    byId("listing").setAttribute("aria-busy", String(state === "loading"));
    byId("list-loading").hidden = state !== "loading";
    byId("list-error").hidden = state !== "error";
    byId("list-empty").hidden = !empty;
    byId("table").hidden = state !== "ready" || empty;
    byId("more").hidden = state !== "ready" || !next;
    setText(byId("list-error-detail"), problem?.detail ?? "");
    setText(byId("more-note"), moreProblem?.detail ?? "");
    byId("more-note").hidden = !moreProblem;
    this.#drawFilter();
    this.#drawEmpty();
    this.#drawRows();
    this.#say();
  }

  #drawFilter() {
    const { filter } = this.#jobs;
    const links = [["", "All"], ...Object.entries(STATES).map(([state, { name }]) => [state, name])];
    const old = byId("states").children;
    const nodes = links.map(([state, name], index) => old[index] ?? h("a", { "data-state": state }, name));
    for (const node of nodes) {
      const { state } = node.dataset;
      node.href = listUrl({ ...filter, state });
      if (state === filter.state) node.setAttribute("aria-current", "true");
      else node.removeAttribute("aria-current");
    }
    reconcile(byId("states"), nodes);
    byId("kind").value = filter.kind;
  }

  #drawEmpty() {
    const { isFiltered } = this.#jobs;
    setText(byId("empty-title"), isFiltered ? "No such jobs" : "No jobs yet");
    setText(
      byId("empty-text"),
      isFiltered
        ? "None is in this state and of this kind. Those that have ended are remembered for a week."
        : "Archives and pulls appear here as soon as somebody asks for one, and stay for a week after their end.",
    );
  }

  #drawRows() {
    const { state, jobs } = this.#jobs;
    const shown = state === "ready" ? jobs : [];
    this.#rows = new Map(shown.map((job) => [job.id, this.#rows.get(job.id) ?? jobRow(job.id, job.kind, job.title, job.created)]));
    for (const job of shown) this.#rows.get(job.id).update(job, this.#lanes.isPaused(job.lane));
    const focused = byId("rows").contains(document.activeElement);
    reconcile(byId("rows"), [...this.#rows.values()].map(({ element }) => element));
    // A job that left the list while it had the focus leaves it to the heading.
    if (focused && !byId("rows").contains(document.activeElement)) byId("jobs-title").focus({ preventScroll: true });
  }

  /** Arrow keys go up and down the list. */
  #moved(event) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const row = step && event.target.closest("tr")?.[step];
    if (!row) return;
    event.preventDefault();
    row.querySelector("a").focus();
  }

  async #more() {
    const before = new Set(byId("rows").children);
    await this.#jobs.more();
    [...byId("rows").children].find((row) => !before.has(row))?.querySelector("a").focus();
  }

  #say() {
    const { state, jobs, next, filter, problem } = this.#jobs;
    const now = `${state} ${listUrl(filter)}`;
    if (state === "loading" || now === this.#announced) return;
    this.#announced = now;
    if (state === "error") announce(`The jobs could not be shown. ${problem.detail}`);
    else announce(`${plural(jobs.length, "job")}${next ? " shown, there are more" : ""}.`);
  }
}
