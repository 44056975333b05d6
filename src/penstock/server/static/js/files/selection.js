// What is ticked: ids of files and folders. Emits `change`.

export class Selection extends EventTarget {
  #ids = new Set();
  #anchor = null;

  get size() {
    return this.#ids.size;
  }

  has(id) {
    return this.#ids.has(id);
  }

  get folders() {
    return [...this.#ids].filter((id) => id.endsWith("/"));
  }

  get keys() {
    return [...this.#ids].filter((id) => !id.endsWith("/"));
  }

  /** Tick or untick one; with `through`, everything from the last one touched to this one. */
  set(id, on, { through = false, order = [] } = {}) {
    const from = order.indexOf(this.#anchor);
    const to = order.indexOf(id);
    const range = through && from >= 0 ? order.slice(Math.min(from, to), Math.max(from, to) + 1) : [id];
    this.setAll(range, on);
    this.#anchor = id;
  }

  setAll(ids, on) {
    for (const id of ids) {
      if (on) this.#ids.add(id);
      else this.#ids.delete(id);
    }
    this.dispatchEvent(new Event("change"));
  }

  clear() {
    this.#anchor = null;
    this.setAll([...this.#ids], false);
  }

  /** Forget what is not there any more. */
  keepOnly(ids) {
    const there = new Set(ids);
    const gone = [...this.#ids].filter((id) => !there.has(id));
    if (gone.length) this.setAll(gone, false);
  }
}
