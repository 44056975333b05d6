// Server-Sent Events that come back by themselves, and know whether they are connected.

import { checkLogin } from "../api.js";

const AGAIN_MS = 3000;

/** Emits `change` when `lost` differs. One address at a time. */
export class Live extends EventTarget {
  lost = false;
  #source = null;
  #timer = null;
  #watched = null;
  /** Whether nobody looked: what came meanwhile was not heard. */
  #away = false;

  constructor() {
    super();
    window.addEventListener("offline", () => this.#source && this.#setLost(true));
    window.addEventListener("online", () => this.lost && this.#open());
    document.addEventListener("visibilitychange", () => this.#watched && this.#open());
  }

  /** Hear the events of a URL: `hear` has a listener for the data of each name. `returned` is called when a lost connection is back, and when the tab is looked at again. */
  watch(url, hear, returned = () => {}) {
    this.close();
    this.#watched = { url, hear, returned };
    this.#open();
  }

  close() {
    this.#drop();
    this.#watched = null;
    this.#away = false;
    this.#setLost(false);
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  /** Not in a tab that nobody sees: a browser has six connections for all tabs of a server. */
  #open() {
    this.#drop();
    if (document.hidden) {
      this.#away = true;
      return;
    }
    const { url, hear, returned } = this.#watched;
    const source = new EventSource(url);
    this.#source = source;
    source.addEventListener("open", () => {
      const missed = this.lost || this.#away;
      this.#away = false;
      this.#setLost(false);
      if (missed) returned();
    });
    source.addEventListener("error", () => this.#broke(source));
    for (const [name, listener] of Object.entries(hear)) {
      source.addEventListener(name, ({ data }) => listener(JSON.parse(data)));
    }
  }

  /** A browser comes back by itself from a broken connection, but not from an answer that is an error. */
  #broke(source) {
    this.#setLost(true);
    if (source.readyState !== EventSource.CLOSED) return;
    this.#drop();
    checkLogin(); // why it was refused is not told
    this.#timer = setTimeout(() => this.#open(), AGAIN_MS);
  }

  #setLost(lost) {
    if (this.lost === lost) return;
    this.lost = lost;
    this.dispatchEvent(new Event("change"));
  }
}
