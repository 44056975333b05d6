// What is shown of a transfer: the pill, the numbers, the progress, the log.

import { announce } from "../announce.js";
import { byId, h, setText } from "../dom.js";
import { bytes, count, duration, percent, rate } from "../format.js";

const KEPT = 500;
const REDRAW_MS = 100;
const STATES = { idle: "Idle", downloading: "Downloading", complete: "Complete", error: "Error" };

export class Board {
  #received = 0;
  #chunks = 0;
  #length = null;
  #began = 0;
  #fresh = [];
  #timer = null;

  begin() {
    this.#received = 0;
    this.#chunks = 0;
    this.#length = null;
    this.#began = performance.now();
    this.#fresh = [];
    byId("log").replaceChildren();
    this.#enter("downloading");
    setText(byId("length-note"), "Waiting for the first byte…");
    this.#draw();
  }

  /** The answer has begun; `length` in bytes, or `null` where it is not known ahead. */
  answered(length) {
    this.#length = length;
    this.note(length === null ? "The answer has begun, its length is not known ahead." : `The answer has begun: ${bytes(length)}.`);
  }

  chunk(size) {
    this.#chunks += 1;
    this.#received += size;
    this.note(`Chunk #${this.#chunks}: +${bytes(size)} (Total: ${bytes(this.#received)})`);
  }

  /** A line in the log. */
  note(text) {
    this.#fresh.push(text);
    if (this.#fresh.length > KEPT) this.#fresh.shift();
    this.#timer ??= setTimeout(() => this.#draw(), REDRAW_MS);
  }

  complete() {
    this.#length ??= this.#received;
    this.#end("complete", `${bytes(this.#received)} in ${duration(this.#seconds)}.`);
  }

  fail(text) {
    this.#end("error", text);
  }

  idle(text) {
    this.#end("idle", text);
  }

  get #seconds() {
    return (performance.now() - this.#began) / 1000;
  }

  #end(state, text) {
    this.note(text);
    this.#draw();
    this.#enter(state);
    setText(byId("length-note"), text);
    announce(`${STATES[state]}. ${text}`);
  }

  #enter(state) {
    setText(byId("pill"), STATES[state]);
    byId("pill").className = `badge ${state}`;
    byId("pipe").classList.toggle("flows", state === "downloading");
    document.documentElement.classList.toggle("flowing", state === "downloading");
  }

  #draw() {
    clearTimeout(this.#timer);
    this.#timer = null;
    setText(byId("received"), bytes(this.#received));
    setText(byId("chunks"), count(this.#chunks));
    setText(byId("speed"), this.#received ? rate(this.#received / Math.max(this.#seconds, 0.05)) : "–");
    this.#drawProgress();
    this.#drawLog();
  }

  /** Where the length is not known there is movement, but no share. */
  #drawProgress() {
    const pipe = byId("pipe");
    const known = this.#length !== null;
    const full = known ? percent(this.#received, this.#length) : this.#received ? 100 : 0;
    pipe.firstElementChild.style.width = `${full}%`;
    if (known) pipe.setAttribute("aria-valuenow", full);
    else pipe.removeAttribute("aria-valuenow");
    if (known && this.#received) setText(byId("length-note"), `${bytes(this.#received)} of ${bytes(this.#length)} · ${full} %`);
    else if (this.#received) setText(byId("length-note"), "How much there will be is not known: some source did not tell its size.");
  }

  #drawLog() {
    const log = byId("log");
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(...this.#fresh.map((text) => h("li", {}, text)));
    this.#fresh = [];
    while (log.children.length > KEPT) log.firstElementChild.remove();
    log.hidden = log.children.length === 0;
    byId("log-empty").hidden = !log.hidden;
    if (atEnd) log.scrollTop = log.scrollHeight;
  }
}
