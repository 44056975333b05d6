// One file to the server through tus-js-client, which asks where to go on and tries again by itself.
// Decided here: what is worth another try, and what is said about the rest.

import { Problem, endOf, holds, problemFrom } from "../api.js";
import { hasBearer, withBearer } from "../bearer.js";
import { loginEnded } from "../session.js";
import { fingerprintOf, previousAt, urlStorage } from "./remembered.js";

const { Upload } = window.tus;
const ENDPOINT = new URL("/v1/uploads", location.href).href;

/** Files of up to so many bytes go in one request and, if that breaks, from their beginning again. */
const SMALL = 1 << 20;
/** Milliseconds before each try, counted anew once bytes have passed: for a day, as long as servers keep uploads. */
const DELAYS = [500, 1000, 2000, 4000, 8000, 15000, ...Array(2880).fill(30000)];
/** A connection on which nothing has moved for so long is taken for dead. */
const SILENCE_MS = 120000;

const LOST = "The connection was lost.";
const AT_WORK = "The server is still at work on what has arrived.";
const UNREADABLE = "This file cannot be read any more: it was changed, moved or removed on this computer. Add it again.";
const STATUSES = new Set([408, 423, 425, 429, 502, 503, 504]);
const CODES = new Set(["lost", "unreachable", "body-incomplete", "offset-mismatch"]);

/** Whether the same request may go better in a while. Who is `busy` says when; who is `superseded` must not fight back. */
function passes({ status, code }) {
  if (code === "busy" || code === "superseded") return false;
  return CODES.has(code) || STATUSES.has(status);
}

function problemOf(error) {
  const cause = error.causingError ?? error;
  if (cause instanceof Problem) return cause;
  if (cause instanceof ProgressEvent) return new Problem({ code: "lost", detail: LOST });
  return new Problem({ code: "internal", detail: `This file cannot be sent: ${cause.message}` });
}

/** Browsers read a file when they send it; one that has changed since it was added is not read at all. */
async function checkReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Problem({ code: "changed", detail: UNREADABLE });
  }
}

/** Make a Problem of every answer that is none of success; but of an upload that is gone the library begins a new one. */
async function checkAnswer(request, response) {
  const status = response.getStatus();
  if (status >= 200 && status < 300) return;
  if (status === 401) loginEnded();
  const asked = request.getMethod() === "HEAD";
  if (asked && (status === 404 || status === 410)) return;
  if (asked && status === 423) throw new Problem({ status, code: "locked", detail: AT_WORK });
  if (asked && status < 500 && status !== 401) await endOf(request.getURL());
  throw problemFrom(status, response.getBody(), response.getHeader("Retry-After"));
}

/**
 * The sending of `upload` (`{file, key, size, modified, replace, url}`), begun at once. `events`:
 * `onUrl(url)`, `onPlace(bytes)` where the server stands, `onProgress(bytes)`, `onTrouble(problem, delayMs)`.
 * `done` resolves when the file is stored and rejects with a Problem.
 */
export class Transfer {
  #upload;
  #events;
  #url;
  #client = null;
  #placed = false;
  #watch = null;
  #settle;

  constructor(upload, events) {
    this.#upload = upload;
    this.#events = events;
    this.#url = upload.url;
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#begin();
  }

  /** Stop; the server keeps what has arrived. `done` rejects with a Problem of this code. */
  stop(code) {
    this.#leave();
    this.#settle.reject(new Problem({ code, detail: "Stopped." }));
  }

  /** Do not wait for the next try. */
  hurry() {
    this.#leave();
    this.#begin();
  }

  #leave() {
    const client = this.#client;
    this.#client = null;
    clearTimeout(this.#watch);
    client?.abort();
  }

  /** A client of the library is used for one run only: those that were aborted may still have steps to make. */
  async #begin() {
    const { file, key, size, replace } = this.#upload;
    const client = new Upload(file, {
      endpoint: ENDPOINT,
      headers: withBearer(),
      metadata: { filename: key, ...(file.type && { filetype: file.type }) },
      fingerprint: async () => fingerprintOf(this.#upload),
      urlStorage,
      storeFingerprintForResuming: size > SMALL,
      removeFingerprintOnSuccess: true,
      uploadDataDuringCreation: size <= SMALL,
      retryDelays: DELAYS,
      onBeforeRequest: async (request) => {
        if (request.getMethod() === "POST" && !replace) request.setHeader("If-None-Match", "*");
        if (request.getMethod() !== "HEAD" && size > 0) await checkReadable(file);
        if (this.#client !== client) throw new Problem({ code: "stopped" });
        this.#expect();
      },
      onAfterResponse: async (request, response) => {
        clearTimeout(this.#watch);
        await checkAnswer(request, response);
      },
      onUploadUrlAvailable: () => {
        this.#url = client.url;
        if (this.#client === client) this.#events.onUrl(client.url);
      },
      onProgress: (bytes) => this.#client === client && this.#moved(bytes),
      onShouldRetry: (error, attempt) => this.#client === client && this.#again(problemOf(error), DELAYS[attempt]),
      onSuccess: () => this.#client === client && this.#end(),
      onError: (error) => this.#client === client && this.#end(problemOf(error)),
    });
    this.#client = client;
    this.#placed = false;
    if (this.#url) client.resumeFromPreviousUpload(await previousAt(this.#url));
    client.start();
  }

  #expect() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.hurry(), SILENCE_MS);
  }

  #moved(bytes) {
    this.#expect();
    if (this.#placed) this.#events.onProgress(bytes);
    else this.#events.onPlace(bytes);
    this.#placed = true;
  }

  #again(problem, delay) {
    if (!passes(problem)) return false;
    clearTimeout(this.#watch);
    this.#placed = false;
    this.#events.onTrouble(problem, delay);
    return true;
  }

  async #end(problem = null) {
    this.#leave();
    if (!problem || (await this.#arrivedBefore(problem))) this.#settle.resolve();
    else this.#settle.reject(problem);
  }

  /** Whether a file sent in one request is what is stored there now: its answer got lost, and it was sent again. */
  async #arrivedBefore({ code }) {
    const { key, file, size } = this.#upload;
    return code === "precondition-failed" && size <= SMALL && !hasBearer() && holds(key, file);
  }
}
