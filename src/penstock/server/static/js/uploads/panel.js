// The panel of uploads: the sum, the flow, and a window on a list that may be very long.

import { announce } from "../announce.js";
import { byId, reconcile, setText } from "../dom.js";
import { bytes, count, duration, facts, percent, plural, rate } from "../format.js";
import { Spark } from "../spark.js";
import { uploadRow } from "./row.js";

const REDRAW_MS = 250;
const SPEAK_MS = 30000;
const SHOWN = 60;
const DONE_SHOWN = 10;

export class Panel {
  #queue;
  #rows = new Map();
  #spark = new Spark(byId("spark"));
  #timer = null;
  #drawnAt = 0;
  #spokenAt = 0;
  #sampledAt = 0;
  #wasBusy = false;

  constructor(queue) {
    this.#queue = queue;
    queue.addEventListener("change", () => this.#schedule());
    byId("retry-failed").addEventListener("click", () => queue.retryFailed());
    byId("cancel-all").addEventListener("click", () => queue.cancelAll());
    byId("clear-finished").addEventListener("click", () => this.#clear());
    window.addEventListener("beforeunload", (event) => {
      if (queue.busy) event.preventDefault();
    });
  }

  #clear() {
    this.#queue.clearFinished();
    if (this.#queue.uploads.length === 0) byId("add-files").focus();
  }

  #schedule() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#draw();
      if (this.#queue.busy) this.#schedule();
    }, performance.now() - this.#drawnAt > REDRAW_MS ? 0 : REDRAW_MS);
  }

  #draw() {
    this.#drawnAt = performance.now();
    const { uploads, busy } = this.#queue;
    byId("uploads").hidden = uploads.length === 0;
    byId("main").classList.toggle("with-uploads", uploads.length > 0);
    document.documentElement.classList.toggle("flowing", busy);
    this.#drawSum();
    this.#drawList();
    this.#drawFlow();
    this.#speak();
    this.#wasBusy = busy;
  }

  #drawSum() {
    const { counts, totals, meter, busy } = this.#queue;
    const of = counts.done + counts.waiting + counts.sending;
    const full = busy ? percent(totals.sent, totals.size) : counts.done ? 100 : 0;
    const eta = busy ? meter.eta(totals.size - totals.sent) : null;
    const note = facts(
      `${count(counts.done)} of ${plural(of, "file")}`,
      busy ? `${bytes(totals.sent)} of ${bytes(totals.size)}` : bytes(totals.size),
      eta && `${duration(eta)} left`,
      counts.failed && `${count(counts.failed)} failed`,
    );
    setText(byId("uploads-note"), note);
    setText(byId("uploads-rate"), busy && meter.rate ? rate(meter.rate) : "");
    const pipe = byId("uploads-pipe");
    pipe.setAttribute("aria-valuenow", full);
    pipe.classList.toggle("flows", busy);
    pipe.firstElementChild.style.width = `${full}%`;
    byId("waterline").style.width = busy ? `${full}%` : "0";
    byId("retry-failed").hidden = counts.failed < 2;
    byId("cancel-all").hidden = !busy;
    byId("clear-finished").hidden = counts.done + counts.failed + counts.cancelled === 0;
  }

  #drawList() {
    const [before, shown, after] = this.#window();
    const rows = new Map(shown.map((upload) => [upload, this.#rows.get(upload) ?? uploadRow(this.#queue, upload)]));
    this.#rows = rows;
    for (const { update } of rows.values()) update();
    reconcile(byId("uploads-list"), [...rows.values()].map(({ element }) => element));
    setText(byId("uploads-before"), `${count(before)} before these`);
    setText(byId("uploads-after"), `${count(after)} after these`);
    byId("uploads-before").hidden = before === 0;
    byId("uploads-after").hidden = after === 0;
  }

  /** A short list is shown whole; of a long one, a stretch around what is being sent. */
  #window() {
    const { uploads } = this.#queue;
    const current = uploads.findIndex(({ state }) => state === "sending" || state === "waiting");
    const start = Math.max(0, Math.min(current < 0 ? uploads.length : current - DONE_SHOWN, uploads.length - SHOWN));
    const shown = uploads.slice(start, start + SHOWN);
    return [start, shown, uploads.length - start - shown.length];
  }

  #drawFlow() {
    if (!this.#queue.busy) return;
    if (!this.#wasBusy) this.#spark.clear();
    if (this.#drawnAt - this.#sampledAt < 950 && this.#wasBusy) return;
    this.#sampledAt = this.#drawnAt;
    this.#spark.push(this.#queue.meter.rate);
  }

  #speak() {
    const { busy, counts, totals } = this.#queue;
    if (this.#wasBusy && !busy) {
      const failed = counts.failed ? ` ${count(counts.failed)} failed.` : "";
      announce(`Uploads finished: ${plural(counts.done, "file")} stored.${failed}`);
    } else if (busy && this.#drawnAt - this.#spokenAt > SPEAK_MS) {
      if (this.#wasBusy && this.#spokenAt) announce(`Uploads ${percent(totals.sent, totals.size)} percent.`);
      this.#spokenAt = this.#drawnAt;
    }
  }
}
