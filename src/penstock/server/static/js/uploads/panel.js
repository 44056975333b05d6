// The panel of uploads: the sum, the flow, and a window on a list that may be very long.

import { announce } from "../announce.js";
import { byId, reconcile, setText } from "../dom.js";
import { bytes, count, duration, facts, percent, plural, rate } from "../format.js";
import { notifyProblem } from "../notices.js";
import { Spark } from "../spark.js";
import { uploadRow } from "./row.js";

const REDRAW_MS = 250;
const SPEAK_MS = 30000;
const SHOWN = 60;
const DONE_SHOWN = 10;
const GOING = new Set(["sending", "retrying", "waiting"]);

export class Panel {
  #queue;
  #rows = new Map();
  #spark = new Spark(byId("spark"));
  #timer = null;
  #drawnAt = 0;
  #spokenAt = 0;
  #sampledAt = 0;
  #wasBusy = false;
  #wasLost = false;
  #focus = null;

  constructor(queue) {
    this.#queue = queue;
    queue.addEventListener("change", () => this.#schedule());
    queue.addEventListener("left", ({ detail }) => notifyProblem("The server still has what was discarded", detail));
    window.addEventListener("online", () => queue.hurry());
    byId("retry-failed").addEventListener("click", () => queue.retryFailed());
    byId("pause-all").addEventListener("click", () => this.#instead("resume-all", () => queue.pauseAll()));
    byId("resume-all").addEventListener("click", () => this.#instead("pause-all", () => queue.resumeAll()));
    byId("cancel-all").addEventListener("click", () => queue.cancelAll());
    byId("clear-finished").addEventListener("click", () => this.#clear());
    window.addEventListener("beforeunload", (event) => {
      if (queue.busy || queue.counts.paused) event.preventDefault();
    });
  }

  /** Act; the button pressed goes away, so the one that takes its place gets the focus. */
  #instead(id, act) {
    act();
    this.#focus = id;
  }

  #clear() {
    this.#queue.clearFinished();
    (this.#queue.uploads.length ? byId("uploads-list") : byId("add-files")).focus();
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
    document.documentElement.classList.toggle("flowing", this.#queue.counts.sending > 0);
    this.#drawSum();
    this.#drawList();
    this.#drawFlow();
    this.#speak();
    this.#wasBusy = busy;
  }

  #drawSum() {
    const { counts, totals, wanted, meter, busy } = this.#queue;
    const under = busy || counts.paused > 0;
    const flows = counts.sending > 0;
    const full = under ? percent(totals.sent, totals.size) : counts.done ? 100 : 0;
    const eta = flows ? meter.eta(totals.size - totals.sent) : null;
    const note = facts(
      wanted && `${count(counts.done)} of ${plural(wanted, "file")}`,
      under ? `${bytes(totals.sent)} of ${bytes(totals.size)}` : wanted && bytes(totals.size),
      eta && `${duration(eta)} left`,
      counts.paused && `${count(counts.paused)} paused`,
      counts.interrupted && `${count(counts.interrupted)} interrupted`,
      counts.failed && `${count(counts.failed)} failed`,
    );
    setText(byId("uploads-note"), note);
    setText(byId("uploads-rate"), flows && meter.rate ? rate(meter.rate) : "");
    const pipe = byId("uploads-pipe");
    pipe.setAttribute("aria-valuenow", full);
    pipe.classList.toggle("flows", flows);
    pipe.hidden = wanted === 0 && counts.failed + counts.cancelled === 0;
    pipe.firstElementChild.style.width = `${full}%`;
    byId("waterline").style.width = under ? `${full}%` : "0";
    this.#drawButtons();
  }

  #drawButtons() {
    const { counts, busy } = this.#queue;
    byId("retry-failed").hidden = counts.failed < 2;
    byId("pause-all").hidden = !busy;
    byId("resume-all").hidden = counts.paused === 0;
    byId("cancel-all").hidden = !busy && counts.paused === 0;
    byId("clear-finished").hidden = counts.done + counts.failed + counts.cancelled === 0;
    if (this.#focus && !byId(this.#focus).hidden) byId(this.#focus).focus();
    this.#focus = null;
  }

  #drawList() {
    const [before, shown, after] = this.#window();
    const rows = new Map(shown.map((upload) => [upload, this.#rows.get(upload) ?? uploadRow(this.#queue, upload)]));
    this.#rows = rows;
    for (const { update } of rows.values()) update();
    this.#showRows([...rows.values()].map(({ element }) => element));
    setText(byId("uploads-before"), `${count(before)} before these`);
    setText(byId("uploads-after"), `${count(after)} after these`);
    byId("uploads-before").hidden = before === 0;
    byId("uploads-after").hidden = after === 0;
  }

  /** A row that had the focus and is gone leaves it to the list. */
  #showRows(elements) {
    const list = byId("uploads-list");
    const focused = list.contains(document.activeElement);
    reconcile(list, elements);
    if (focused && !list.contains(document.activeElement)) (elements.length ? list : byId("add-files")).focus();
  }

  /** A short list is shown whole; of a long one, a stretch around what is being sent. */
  #window() {
    const { uploads } = this.#queue;
    const current = uploads.findIndex(({ state }) => GOING.has(state));
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
      const paused = counts.paused ? ` ${count(counts.paused)} paused.` : "";
      announce(`Uploads ${paused ? "paused" : "finished"}: ${plural(counts.done, "file")} stored.${failed}${paused}`);
    } else if (busy && this.#drawnAt - this.#spokenAt > SPEAK_MS) {
      if (this.#wasBusy && this.#spokenAt) announce(`Uploads ${percent(totals.sent, totals.size)} percent.`);
      this.#spokenAt = this.#drawnAt;
    }
    this.#speakOfLoss(counts);
  }

  /** Once when nothing gets through any more, and once when it does again. */
  #speakOfLoss({ retrying, sending }) {
    const lost = retrying > 0 && sending === 0;
    if (lost && !this.#wasLost) announce("The connection is lost. Uploads go on by themselves when it is back.");
    if (this.#wasLost && sending > 0) announce("Uploads go on.");
    this.#wasLost = lost;
  }
}
