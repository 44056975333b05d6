// What the current folder holds, page by page. Emits `change` whenever that differs.

import { list } from "../api.js";

export class Listing extends EventTarget {
  prefix = "";
  folders = [];
  files = [];
  next = null;
  /** `loading` | `ready` | `error` */
  state = "loading";
  problem = null;
  /** What went wrong with "Load more", if anything. */
  moreProblem = null;
  #request = new AbortController();
  #byKey = new Map();

  get empty() {
    return this.folders.length + this.files.length === 0;
  }

  /** Ids in the order shown: a file's key, or a folder's prefix. */
  get ids() {
    return [...this.folders, ...this.files.map((file) => file.key)];
  }

  file(id) {
    return this.#byKey.get(id);
  }

  /** Show another folder, from its beginning. */
  async open(prefix) {
    Object.assign(this, { prefix, folders: [], files: [], next: null, state: "loading" });
    this.#changed();
    await this.#load((signal) => this.#pages(signal, 1));
  }

  /** Ask again for as much as is shown, without blanking it. */
  async refresh() {
    const shown = this.folders.length + this.files.length;
    await this.#load((signal) => this.#pages(signal, shown));
  }

  /** Append the next page. */
  async more() {
    try {
      const page = await list(this.prefix, { after: this.next, signal: this.#request.signal });
      this.#take({
        folders: [...this.folders, ...page.prefixes],
        files: [...this.files, ...page.files],
        next: page.next,
      });
    } catch (error) {
      if (error.name === "AbortError") return;
      this.moreProblem = error;
      this.#changed();
    }
  }

  async #load(fetchAll) {
    this.#request.abort();
    this.#request = new AbortController();
    try {
      this.#take(await fetchAll(this.#request.signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      Object.assign(this, { state: "error", problem: error });
      this.#changed();
    }
  }

  async #pages(signal, atLeast) {
    const all = { folders: [], files: [], next: "" };
    do {
      const page = await list(this.prefix, { after: all.next, signal });
      all.folders.push(...page.prefixes);
      all.files.push(...page.files);
      all.next = page.next;
    } while (all.next && all.folders.length + all.files.length < atLeast);
    return all;
  }

  #take(all) {
    Object.assign(this, all, { state: "ready", problem: null, moreProblem: null });
    this.#byKey = new Map(this.files.map((file) => [file.key, file]));
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
