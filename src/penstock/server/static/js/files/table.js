// The table of the current folder, with its loading, empty and error states.

import { announce } from "../announce.js";
import { byId, reconcile, setText } from "../dom.js";
import { plural } from "../format.js";
import { nameOf } from "../keys.js";
import { fileRow, folderRow } from "./rows.js";

export class Table {
  #listing;
  #selection;
  #rows = new Map();
  #announced = null;

  constructor(listing, selection) {
    this.#listing = listing;
    this.#selection = selection;
    listing.addEventListener("change", () => this.#draw());
    selection.addEventListener("change", () => this.#drawPicks());
    byId("rows").addEventListener("click", (event) => this.#clicked(event));
    byId("rows").addEventListener("keydown", (event) => this.#moved(event));
    byId("select-all").addEventListener("change", (event) => selection.setAll(listing.ids, event.target.checked));
    byId("load-more").addEventListener("click", () => this.#more());
    byId("error-retry").addEventListener("click", () => listing.open(listing.prefix));
  }

  #draw() {
    const { state, empty, problem, prefix, next, moreProblem } = this.#listing;
    byId("state-loading").hidden = state !== "loading";
    byId("state-error").hidden = state !== "error";
    byId("state-empty").hidden = state !== "ready" || !empty;
    byId("table").hidden = state !== "ready" || empty;
    byId("more").hidden = state !== "ready" || !next;
    byId("listing").setAttribute("aria-busy", String(state === "loading"));
    setText(byId("empty-title"), prefix ? "Nothing in this folder" : "Nothing here yet");
    setText(byId("error-detail"), problem?.detail ?? "");
    setText(byId("more-note"), moreProblem?.detail ?? "");
    byId("more-note").hidden = !moreProblem;
    reconcile(byId("rows"), state === "ready" ? this.#wantedRows() : []);
    this.#selection.keepOnly(state === "error" ? [] : this.#listing.ids);
    this.#drawPicks();
    this.#say();
  }

  #wantedRows() {
    const { folders, files } = this.#listing;
    const rows = new Map();
    const keep = (name, make) => rows.set(name, this.#rows.get(name) ?? make());
    for (const prefix of folders) keep(prefix, () => folderRow(prefix));
    for (const file of files) keep(`${file.key} ${file.etag} ${file.modified}`, () => fileRow(file));
    this.#rows = rows;
    return [...rows.values()];
  }

  #drawPicks() {
    for (const row of byId("rows").children) {
      const picked = this.#selection.has(row.dataset.id);
      row.classList.toggle("picked", picked);
      row.querySelector("input").checked = picked;
    }
    const all = byId("select-all");
    const total = this.#listing.ids.length;
    all.checked = total > 0 && this.#selection.size === total;
    all.indeterminate = this.#selection.size > 0 && this.#selection.size < total;
  }

  #clicked(event) {
    const id = event.target.dataset.pick;
    if (id === undefined) return;
    this.#selection.set(id, event.target.checked, { through: event.shiftKey, order: this.#listing.ids });
  }

  /** Arrow keys go up and down the column that has the focus. */
  #moved(event) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const row = step && event.target.closest("tr")?.[step];
    if (!row) return;
    event.preventDefault();
    row.querySelector(event.target.matches("input") ? "input" : "a").focus();
  }

  async #more() {
    const before = new Set(byId("rows").children);
    await this.#listing.more();
    [...byId("rows").children].find((row) => !before.has(row))?.querySelector("a").focus();
  }

  #say() {
    const { state, prefix, folders, files, problem } = this.#listing;
    const now = `${state} ${prefix}`;
    if (state === "loading" || now === this.#announced) return;
    this.#announced = now;
    const where = nameOf(prefix);
    if (state === "error") announce(`${where} could not be shown. ${problem.detail}`);
    else announce(`${where}: ${plural(folders.length, "folder")}, ${plural(files.length, "file")}.`);
  }
}
