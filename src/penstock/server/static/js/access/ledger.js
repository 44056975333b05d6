// A table with its loading, empty and error states, page by page. Its roles are spelled out: on a narrow screen it is
// laid out as none.

import { announce } from "../announce.js";
import { h, icon, setText } from "../dom.js";

export class Ledger {
  #load;
  #row;
  #request = new AbortController();
  #next = null;
  #body = h("tbody", { role: "rowgroup" });
  #table;
  #state = h("div");
  #more;
  #note = h("p", { class: "more-note", role: "alert" });
  #holder;
  #empty;
  #columns;
  #failure;

  /**
   * `columns`: their headings; `load({after, signal})` answers `{items, next}`; `row(item)` the cells of one, the first
   * of which names it; `empty()` `{title, text}` for when there are none.
   */
  constructor(holder, { caption, columns, load, row, empty, failure }) {
    this.#columns = columns;
    this.#holder = holder;
    this.#load = load;
    this.#row = row;
    this.#empty = empty;
    this.#failure = failure;
    const head = columns.map(({ name, style }) => h("th", { scope: "col", role: "columnheader", class: style }, name || h("span", { class: "sr" }, "Actions")));
    this.#table = h(
      "table",
      { role: "table" },
      h("caption", { class: "sr" }, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
      this.#body,
    );
    const button = h("button", { type: "button", class: "button", on: { click: () => this.more() } }, "Load more");
    this.#more = h("div", { class: "more" }, button, this.#note);
    holder.append(this.#table, this.#state, this.#more);
    this.#show("loading");
  }

  /** From the beginning, without blanking what is shown. */
  async refresh() {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    try {
      const { items, next } = await this.#load({ after: null, signal });
      this.#next = next;
      this.#body.replaceChildren(...items.map((item) => this.#element(item)));
      this.#show(items.length ? "ready" : "empty");
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#body.replaceChildren();
      this.#show("error", error);
      announce(`${this.#failure}. ${error.detail ?? error.message}`);
    }
  }

  async more() {
    setText(this.#note, "");
    try {
      const { items, next } = await this.#load({ after: this.#next, signal: this.#request.signal });
      this.#next = next;
      const rows = items.map((item) => this.#element(item));
      this.#body.append(...rows);
      this.#more.hidden = !next;
      rows[0]?.setAttribute("tabindex", "-1");
      rows[0]?.focus();
    } catch (error) {
      if (error.name !== "AbortError") setText(this.#note, error.detail ?? error.message);
    }
  }

  #element(item) {
    const cells = this.#row(item);
    return h(
      "tr",
      { role: "row", "data-id": item.id },
      cells.map((content, index) => {
        const { name, style } = this.#columns[index];
        const label = name ? { "data-label": name } : {};
        if (index === 0) return h("th", { scope: "row", role: "rowheader", class: style }, content);
        return h("td", { role: "cell", class: style, ...label }, h("div", {}, content));
      }),
    );
  }

  #show(state, error = null) {
    this.#holder.setAttribute("aria-busy", String(state === "loading"));
    this.#table.hidden = state !== "ready";
    this.#more.hidden = state !== "ready" || !this.#next;
    this.#state.hidden = state === "ready";
    this.#state.className = `state ${state}`;
    this.#state.replaceChildren(...this.#stateContent(state, error).filter(Boolean));
  }

  #stateContent(state, error) {
    if (state === "loading") {
      return [h("div", { class: "ghosts", "aria-hidden": "true" }, h("span"), h("span"), h("span")), h("p", { class: "sr" }, "Loading…")];
    }
    if (state === "empty") {
      const { title, text } = this.#empty();
      return [h("p", { class: "state-title" }, title), h("p", {}, text)];
    }
    if (state === "error") {
      const again = h("button", { type: "button", class: "button", on: { click: () => this.refresh() } }, icon("retry"), "Try again");
      return [icon("alert", "big"), h("p", { class: "state-title" }, this.#failure), h("p", {}, error.detail ?? error.message), again];
    }
    return [];
  }
}
