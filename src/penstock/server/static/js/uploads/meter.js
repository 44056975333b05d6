// How fast bytes flow: the mean over the last few seconds.

const WINDOW_MS = 4000;

export class Meter {
  #samples = [];

  /** Note that `total` bytes have passed by `now` (milliseconds). */
  note(total, now = performance.now()) {
    this.#samples.push({ total, now });
    while (this.#samples.length > 2 && now - this.#samples[0].now > WINDOW_MS) this.#samples.shift();
  }

  /** Bytes per second; 0 until two moments are known. */
  get rate() {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || last.now - first.now < 200) return 0;
    return Math.max(0, ((last.total - first.total) * 1000) / (last.now - first.now));
  }

  /** Seconds for `left` bytes at this rate, or `null` while that cannot be told. */
  eta(left) {
    return this.rate > 0 ? left / this.rate : null;
  }

  reset() {
    this.#samples = [];
  }
}
