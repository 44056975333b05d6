// Uploads in order, three at a time, and all that can be done with them.

import { Problem, discard } from "../api.js";
import { bytes } from "../format.js";
import { UploadList } from "./list.js";
import { Meter } from "./meter.js";
import { forget } from "./remembered.js";
import { Transfer } from "./transfer.js";
import { Upload } from "./upload.js";

const AT_ONCE = 3;
const BUSY_RETRIES = 20;
const BUSY_WAIT_S = 2;
const ACTIVE = new Set(["sending", "retrying"]);
const STOPPED = ["paused", "interrupted", "failed"];
const OVER = ["done", "failed", "cancelled"];

export class UploadQueue extends UploadList {
  meter = new Meter();
  /** The largest file the server takes, in bytes; `null` when it takes any. */
  maxSize = null;
  #line = [];
  #active = new Set();
  #passed = 0;

  /** `items`: `[{file, key, replace}]`, where `resumes` may be an upload of this queue to go on with. */
  add(items) {
    for (const { resumes, ...item } of items) {
      if (resumes) this.goOn(resumes, item.file);
      else this.#take(new Upload(item));
    }
    this.#pump();
  }

  /** Show uploads that an earlier visit left behind: `[{key, size, modified, replace, url, sent}]`. */
  restore(entries) {
    for (const { url, sent, ...item } of entries) {
      this.append(Object.assign(new Upload(item), { url, sent, state: "interrupted" }));
    }
  }

  /** Those that stopped on their way and can be gone on with. */
  get resumable() {
    return this.in(...STOPPED).filter(({ url }) => url !== null);
  }

  pause(upload) {
    if (ACTIVE.has(upload.state)) upload.transfer.stop("paused");
    else if (upload.state === "waiting") this.enter(upload, "paused");
  }

  pauseAll() {
    for (const upload of this.in("waiting", "sending", "retrying")) this.pause(upload);
  }

  /** Go on with one that stopped, before those that wait; `file` where the page has lost it. */
  goOn(upload, file = upload.file) {
    if (!STOPPED.includes(upload.state)) return;
    Object.assign(upload, { file, problem: null, busyRetries: 0 });
    this.enter(upload, "waiting");
    this.#line.unshift(upload);
    this.#pump();
  }

  resumeAll() {
    for (const upload of this.in("paused").reverse()) this.goOn(upload);
  }

  /** Do not wait for the next try: of one, or of all. */
  hurry(upload = null) {
    for (const one of upload ? [upload] : this.in("retrying")) one.transfer.hurry();
  }

  cancel(upload) {
    if (ACTIVE.has(upload.state)) upload.transfer.stop("cancelled");
    else if (upload.state === "waiting" || upload.state === "paused") this.#cancelled(upload);
  }

  cancelAll() {
    for (const upload of this.in("waiting", "paused", "sending", "retrying")) this.cancel(upload);
  }

  /** Begin again; what the server has of it, if anything, is not sent again. */
  retry(upload, { replace = upload.replace } = {}) {
    Object.assign(upload, { problem: null, replace, busyRetries: 0, sent: upload.url ? upload.sent : 0 });
    this.enter(upload, "waiting");
    this.#line.push(upload);
    this.#pump();
  }

  retryFailed() {
    const again = this.in("failed").filter(({ retryable, problem }) => retryable && problem.status !== 412);
    for (const upload of again) this.retry(upload);
  }

  /** Give up one that stopped, here and on the server. */
  discard(upload) {
    this.remove([upload]);
    this.#release(upload);
  }

  /** Forget what is over, whichever way. */
  clearFinished() {
    const over = this.in(...OVER);
    this.remove(over);
    for (const upload of over) this.#release(upload);
  }

  #take(upload) {
    this.append(upload);
    if (this.maxSize !== null && upload.size > this.maxSize) this.#refuse(upload);
    else this.#line.push(upload);
  }

  #pump() {
    while (this.#active.size < AT_ONCE && this.#line.length) {
      const upload = this.#line.shift();
      if (upload.state === "waiting") this.#start(upload);
    }
    this.changed();
  }

  async #start(upload) {
    if (this.#active.size === 0) this.meter.reset();
    upload.transfer = new Transfer(upload, {
      onUrl: (url) => { upload.url = url; },
      onPlace: (sent) => this.#place(upload, sent),
      onProgress: (sent) => this.#progress(upload, sent),
      onTrouble: (problem, delay) => this.#wait(upload, problem, delay),
    });
    this.#active.add(upload);
    upload.meter.reset();
    this.enter(upload, "sending");
    try {
      await upload.transfer.done;
      Object.assign(upload, { sent: upload.size, url: null });
      this.enter(upload, "done");
    } catch (problem) {
      this.#stopped(upload, problem);
    }
    this.#active.delete(upload);
    this.#pump();
  }

  /** Sending begins, or goes on, after `sent` bytes: none of them has passed just now. */
  #place(upload, sent) {
    Object.assign(upload, { sent, problem: null });
    upload.meter.reset();
    if (upload.state !== "sending") this.enter(upload, "sending");
  }

  #progress(upload, sent) {
    this.#passed += sent - upload.sent;
    upload.sent = sent;
    upload.meter.note(sent);
    this.meter.note(this.#passed);
  }

  #wait(upload, problem, delay) {
    Object.assign(upload, { problem, retryAt: performance.now() + delay });
    if (upload.state !== "retrying") this.enter(upload, "retrying");
  }

  #stopped(upload, problem) {
    if (problem.code === "cancelled") return this.#cancelled(upload);
    upload.problem = problem.code === "paused" ? null : problem;
    if (problem.code === "paused" || problem.code === "superseded") return this.enter(upload, "paused");
    if (problem.status === 401) return this.#loggedOut(upload);
    if (problem.code === "busy" && upload.busyRetries < BUSY_RETRIES) return this.#queueAgain(upload, problem);
    // What the server refuses for good, and what is another file now, is of no use to keep.
    if ((problem.status >= 400 && problem.status < 500) || problem.code === "changed") this.#release(upload);
    return this.enter(upload, "failed");
  }

  /** Nothing of it is lost: it goes on when somebody has logged in again, and so do those that wait. */
  #loggedOut(upload) {
    upload.problem = null;
    this.enter(upload, "paused");
    for (const one of this.in("waiting")) this.enter(one, "paused");
  }

  #queueAgain(upload, problem) {
    upload.busyRetries += 1;
    setTimeout(() => {
      this.#line.push(upload);
      this.#pump();
    }, (problem.retryAfter ?? BUSY_WAIT_S) * 1000);
    this.enter(upload, "waiting");
  }

  #cancelled(upload) {
    this.#release(upload);
    Object.assign(upload, { problem: null, sent: 0 });
    this.enter(upload, "cancelled");
  }

  /** Have nothing more to do with what has arrived: forget it, and let the server forget it. */
  async #release(upload) {
    const { url } = upload;
    if (!url) return;
    upload.url = null;
    try {
      await Promise.all([forget(url), discard(url)]);
    } catch (error) {
      this.dispatchEvent(new CustomEvent("left", { detail: error }));
    }
  }

  #refuse(upload) {
    const detail = `This server takes files of up to ${bytes(this.maxSize)}; this one has ${bytes(upload.size)}.`;
    upload.problem = new Problem({ status: 413, code: "over-limit", detail });
    this.enter(upload, "failed");
  }
}
