// One file on its way, as the queue keeps it and the panel shows it.

import { Meter } from "./meter.js";

/** Codes of problems that the same file under the same key always has. */
const HOPELESS = new Set(["over-limit", "too-large", "bad-key", "changed"]);

/**
 * States: `waiting` for its turn, `sending`, `retrying` after the connection broke, `paused`,
 * `interrupted` (left by an earlier visit, the file must be chosen again), `done`, `failed`, `cancelled`.
 */
export class Upload {
  state = "waiting";
  /** Bytes that have left, or that the server is known to have. */
  sent = 0;
  /** Where the server keeps what has arrived; `null` before that is known. */
  url = null;
  problem = null;
  /** When the next try comes while `retrying`, on the clock of `performance.now()`. */
  retryAt = 0;
  busyRetries = 0;
  transfer = null;
  meter = new Meter();

  /** `label` is what the reader sees of the key. */
  constructor({ key, label = key, file = null, replace = false, size = file.size, modified = file.lastModified }) {
    Object.assign(this, { key, label, file, replace, size, modified });
  }

  /** Whether `file` is the one that was being sent, as far as a browser can tell. */
  isOf(file) {
    return file.size === this.size && file.lastModified === this.modified;
  }

  /** Whether a second try may go better. */
  get retryable() {
    return this.state === "cancelled" || (this.state === "failed" && !HOPELESS.has(this.problem.code));
  }
}
