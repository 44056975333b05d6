// What was measured, never more than so much of it.

/** Points of an unlimited window; beyond them every second of the older ones is left out. */
export const MOST = 3600;

export class Samples {
  /** The oldest first; replaced, never changed. */
  all = [];
  #limit;

  constructor(limit = Infinity) {
    this.#limit = limit;
  }

  /** Keep so many; `Infinity`: as far back as it goes, more and more coarsely. */
  set limit(limit) {
    this.#limit = limit;
    this.#trim();
  }

  add(sample) {
    this.all = [...this.all, sample];
    this.#trim();
  }

  clear() {
    this.all = [];
  }

  #trim() {
    if (this.all.length > this.#limit) this.all = this.all.slice(-this.#limit);
    else if (this.all.length > MOST) this.all = this.#thinned();
  }

  /** What is recent stays as fine as it was measured. */
  #thinned() {
    const half = this.all.length >> 1;
    return this.all.filter((_, index) => index >= half || index % 2 === 0);
  }
}

/** How many points a window (ms, 0: unlimited) has at an interval (ms). */
export function pointsOf(windowMs, intervalMs) {
  return windowMs ? Math.ceil(windowMs / intervalMs) : Infinity;
}
