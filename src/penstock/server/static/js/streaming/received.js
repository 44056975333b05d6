// Where a download goes that the page itself reads: into a file as it arrives, or, where no browser offers that, into memory.

const canPick = "showSaveFilePicker" in window;

/** Said on the page before anything begins. */
export const WAY = canPick
  ? "With the log, the browser asks for a file first and writes each chunk into it: nothing is gathered in memory."
  : "With the log, this browser gathers the whole ZIP in memory before it can be saved. Take “Browser Native” for large ones.";

class InFile {
  #stream;

  constructor(stream) {
    this.#stream = stream;
  }

  write(chunk) {
    return this.#stream.write(chunk);
  }

  close() {
    return this.#stream.close();
  }

  /** What was written is thrown away; the file stays as it was. */
  async abort() {
    await this.#stream.abort();
  }
}

class InMemory {
  #chunks = [];
  #name;

  constructor(name) {
    this.#name = name;
  }

  write(chunk) {
    this.#chunks.push(chunk);
  }

  close() {
    const url = URL.createObjectURL(new Blob(this.#chunks, { type: "application/zip" }));
    this.#chunks = [];
    const link = document.createElement("a");
    link.href = url;
    link.download = this.#name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  }

  abort() {
    this.#chunks = [];
  }
}

/** A place with `write(chunk)`, `close()` and `abort()`; `null` if the reader chose none. */
export async function placeFor(name) {
  if (!canPick) return new InMemory(name);
  try {
    const handle = await window.showSaveFilePicker({ suggestedName: name, types: [{ description: "ZIP archive", accept: { "application/zip": [".zip"] } }] });
    return new InFile(await handle.createWritable());
  } catch (error) {
    if (error.name === "AbortError") return null;
    throw error;
  }
}
