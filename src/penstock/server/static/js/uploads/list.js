// The uploads that are shown, and how they are counted. Emits `change` when anything differs, `upload` when one
// changes its state.

const NOT_COUNTED = new Set(["cancelled", "failed", "interrupted"]);

export class UploadList extends EventTarget {
  /** Every upload still shown, in the order added. */
  uploads = [];
  /** How many there are of each state. */
  counts = { waiting: 0, sending: 0, retrying: 0, paused: 0, interrupted: 0, done: 0, failed: 0, cancelled: 0 };

  /** Whether anything goes on by itself. */
  get busy() {
    return this.counts.waiting + this.counts.sending + this.counts.retrying > 0;
  }

  /** How many files are stored, or will be if nothing more goes wrong. */
  get wanted() {
    const { waiting, sending, retrying, paused, done } = this.counts;
    return waiting + sending + retrying + paused + done;
  }

  /** Bytes of the wanted ones, and how many of them are sent. */
  get totals() {
    let [size, sent] = [0, 0];
    for (const upload of this.uploads) {
      if (NOT_COUNTED.has(upload.state)) continue;
      size += upload.size;
      sent += upload.sent;
    }
    return { size, sent };
  }

  in(...states) {
    return this.uploads.filter(({ state }) => states.includes(state));
  }

  append(upload) {
    this.uploads.push(upload);
    this.counts[upload.state] += 1;
    this.changed();
  }

  /** Show these no more. */
  remove(uploads) {
    const gone = new Set(uploads);
    this.uploads = this.uploads.filter((upload) => !gone.has(upload));
    for (const { state } of gone) this.counts[state] -= 1;
    this.changed();
  }

  enter(upload, state) {
    this.counts[upload.state] -= 1;
    this.counts[state] += 1;
    upload.state = state;
    this.dispatchEvent(new CustomEvent("upload", { detail: upload }));
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}
