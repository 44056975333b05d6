// Uploads in order, three at a time. Emits `change` when an upload changes state.

import { Problem } from "../api.js";
import { bytes } from "../format.js";
import { Meter } from "./meter.js";
import { send } from "./send.js";

const AT_ONCE = 3;
const BUSY_RETRIES = 20;
const BUSY_WAIT_S = 2;
/** Codes of problems that the same file under the same key always has. */
const HOPELESS = new Set(["over-limit", "too-large", "bad-key"]);

/** States: `waiting`, `sending`, `done`, `failed`, `cancelled`. */
class Upload {
  state = "waiting";
  sent = 0;
  problem = null;
  meter = new Meter();
  busyRetries = 0;
  transfer = null;

  constructor({ file, key, replace }) {
    Object.assign(this, { file, key, replace });
  }

  get size() {
    return this.file.size;
  }

  /** Whether a second try may go better. */
  get retryable() {
    return this.state === "cancelled" || (this.state === "failed" && !HOPELESS.has(this.problem.code));
  }
}

export class UploadQueue extends EventTarget {
  /** Every upload still shown, in the order added. */
  uploads = [];
  meter = new Meter();
  /** The largest body the server takes, in bytes; `null` when it takes any. */
  maxBody = null;
  counts = { waiting: 0, sending: 0, done: 0, failed: 0, cancelled: 0 };
  #line = [];
  #sending = new Set();
  #passed = 0;

  get busy() {
    return this.counts.waiting + this.counts.sending > 0;
  }

  get sending() {
    return [...this.#sending];
  }

  /** Bytes of everything not cancelled or failed, and how many of them are sent. */
  get totals() {
    let [size, sent] = [0, 0];
    for (const upload of this.uploads) {
      if (upload.state === "cancelled" || upload.state === "failed") continue;
      size += upload.size;
      sent += upload.sent;
    }
    return { size, sent };
  }

  /** `items`: `[{file, key, replace}]`. */
  add(items) {
    const batch = items.map((item) => new Upload(item));
    for (const upload of batch) {
      this.uploads.push(upload);
      this.counts.waiting += 1;
      if (this.maxBody !== null && upload.size > this.maxBody) this.#refuse(upload);
      else this.#line.push(upload);
    }
    this.#pump();
  }

  cancel(upload) {
    if (upload.state === "sending") upload.transfer.cancel();
    else if (upload.state === "waiting") this.#enter(upload, "cancelled");
  }

  cancelAll() {
    for (const upload of this.uploads) if (upload.state === "waiting") this.cancel(upload);
    for (const upload of this.#sending) this.cancel(upload);
  }

  retry(upload, { replace = upload.replace } = {}) {
    Object.assign(upload, { sent: 0, problem: null, replace, busyRetries: 0 });
    this.#enter(upload, "waiting");
    this.#line.push(upload);
    this.#pump();
  }

  retryFailed() {
    const again = this.uploads.filter(({ state, retryable, problem }) => state === "failed" && retryable && problem.status !== 412);
    for (const upload of again) this.retry(upload);
  }

  /** Forget what is over, whichever way. */
  clearFinished() {
    this.uploads = this.uploads.filter(({ state }) => state === "waiting" || state === "sending");
    Object.assign(this.counts, { done: 0, failed: 0, cancelled: 0 });
    this.#changed();
  }

  #pump() {
    while (this.#sending.size < AT_ONCE && this.#line.length) {
      const upload = this.#line.shift();
      if (upload.state === "waiting") this.#start(upload);
    }
    this.#changed();
  }

  async #start(upload) {
    if (this.#sending.size === 0) this.meter.reset();
    upload.meter.reset();
    upload.transfer = send(upload, (sent) => this.#progress(upload, sent));
    this.#sending.add(upload);
    this.#enter(upload, "sending");
    try {
      upload.stored = await upload.transfer.done;
      this.#progress(upload, upload.size);
      this.#enter(upload, "done");
    } catch (problem) {
      this.#fail(upload, problem);
    }
    this.#sending.delete(upload);
    this.#pump();
  }

  #progress(upload, sent) {
    this.#passed += sent - upload.sent;
    upload.sent = sent;
    upload.meter.note(sent);
    this.meter.note(this.#passed);
  }

  #fail(upload, problem) {
    upload.problem = problem;
    if (problem.code === "cancelled") return this.#enter(upload, "cancelled");
    if (problem.code !== "busy" || upload.busyRetries >= BUSY_RETRIES) return this.#enter(upload, "failed");
    upload.busyRetries += 1;
    this.#passed -= upload.sent;
    upload.sent = 0;
    setTimeout(() => {
      this.#line.push(upload);
      this.#pump();
    }, (problem.retryAfter ?? BUSY_WAIT_S) * 1000);
    return this.#enter(upload, "waiting");
  }

  #refuse(upload) {
    const detail = `This server takes files of up to ${bytes(this.maxBody)}; this one has ${bytes(upload.size)}.`;
    upload.problem = new Problem({ status: 413, code: "over-limit", detail });
    this.#enter(upload, "failed");
  }

  #enter(upload, state) {
    this.counts[upload.state] -= 1;
    this.counts[state] += 1;
    upload.state = state;
    this.dispatchEvent(new CustomEvent("upload", { detail: upload }));
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
