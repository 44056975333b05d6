// A chart of lines over time: uPlot draws it, words say it, a table holds its numbers.

import { h, setText } from "./dom.js";

const { uPlot } = window;
const HEIGHT = 224;
/** Seconds between the marks of the time axis. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];
const ROWS = 20;
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DASHES = [[], [7, 5], [2, 4]];
const dark = matchMedia("(prefers-color-scheme: dark)");

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = (seconds) => CLOCK.format(seconds * 1000);

/**
 * `lines`: `[{key, label, scale?}]`, those of the second `scale` have the axis on the right;
 * `format(value)` is how a value is written. Samples are `{time, …}` with `time` in seconds since 1970.
 */
export class Chart {
  #figure;
  #lines;
  #format;
  #samples = [];
  #plot = null;
  #zoomed = false;
  #note = h("p", { class: "sr" });
  #holder = h("div", { class: "chart-plot", "aria-hidden": "true" });
  #reset = h("button", { type: "button", class: "button small quiet" }, "Show all");
  #body = h("tbody");
  #table;

  constructor(figure, { title, lines, format }) {
    this.#figure = figure;
    this.#lines = lines;
    this.#format = format;
    this.#reset.hidden = true;
    this.#reset.addEventListener("click", () => this.#showAll());
    const head = h("tr", {}, h("th", { scope: "col" }, "Time"), lines.map(({ label }) => h("th", { scope: "col" }, label)));
    const table = h("table", {}, h("caption", { class: "sr" }, `${title}, the latest first`), h("thead", {}, head), this.#body);
    const scroll = h("div", { class: "chart-table", tabindex: "0", role: "group", "aria-label": `${title}, as a table` }, table);
    this.#table = h("details", {}, h("summary", {}, "Numbers"), scroll);
    this.#table.addEventListener("toggle", () => this.#fillTable());
    figure.append(
      h("figcaption", { class: "chart-head" }, h("h2", {}, title), this.#reset),
      this.#holder,
      this.#note,
      this.#table,
    );
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#holder);
    dark.addEventListener("change", () => this.#build());
    this.#build();
    this.show([]);
  }

  /** Draw these samples, the oldest first; an array that is not changed afterwards. */
  show(samples) {
    this.#samples = samples;
    if (samples.length === 0) this.#setZoomed(false);
    this.#plot.setData(this.#columns(), !this.#zoomed);
    if (!(this.#plot.cursor.left >= 0)) this.#plot.setLegend({ idx: samples.length - 1 });
    setText(this.#note, this.#summary());
    this.#fillTable();
  }

  #columns() {
    return [this.#samples.map(({ time }) => time), ...this.#lines.map(({ key }) => this.#samples.map((sample) => sample[key]))];
  }

  /** A value below the chart: that under the pointer, else the latest. */
  #shown(key, value = null) {
    const shown = value ?? this.#samples.at(-1)?.[key];
    if (shown == null) return "–";
    return key === "time" ? clock(shown) : this.#format(shown);
  }

  /** For who cannot see lines; as short as it can be. */
  #summary() {
    if (this.#samples.length === 0) return "Nothing measured yet.";
    return this.#lines
      .map(({ key, label }) => {
        const values = this.#samples.map((sample) => sample[key]);
        const [low, high] = values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
        return `${label} ${this.#format(values.at(-1))} (${this.#format(low)} to ${this.#format(high)})`;
      })
      .join(" · ");
  }

  #fillTable() {
    if (!this.#table.open) return;
    const rows = this.#samples.slice(-ROWS).reverse();
    this.#body.replaceChildren(
      ...rows.map((sample) => h("tr", {}, h("th", { scope: "row" }, clock(sample.time)), this.#lines.map(({ key }) => h("td", {}, this.#format(sample[key]))))),
    );
  }

  #size() {
    return { width: Math.max(200, this.#holder.clientWidth), height: HEIGHT };
  }

  #setZoomed(zoomed) {
    this.#zoomed = zoomed;
    this.#reset.hidden = !zoomed;
  }

  #showAll() {
    this.#setZoomed(false);
    this.#plot.setData(this.#columns());
    this.#figure.querySelector("summary").focus();
  }

  #build() {
    this.#plot?.destroy();
    const lines = this.#lines;
    const scales = [...new Set(lines.map(({ scale = "y" }) => scale))];
    const axis = { stroke: token("--ink-2"), font: `12px ${token("--sans")}`, ticks: { show: false }, grid: { stroke: token("--line"), width: 1 } };
    const options = {
      ...this.#size(),
      scales: Object.fromEntries(scales.map((scale) => [scale, { range: (_, low, high) => (scale === "y" ? fromZero(high) : around(low, high)) }])),
      series: [
        { label: "Time", value: (_, value) => this.#shown("time", value) },
        ...lines.map(({ key, label, scale = "y" }, index) => ({
          label,
          scale,
          stroke: token(`--line-${index + 1}`),
          width: 2,
          dash: DASHES[index],
          points: { show: false },
          value: (_, value) => this.#shown(key, value),
        })),
      ],
      axes: [
        { ...axis, size: 30, space: 84, incrs: STEPS, values: (_, splits) => splits.map(clock) },
        ...scales.map((scale, index) => ({ ...axis, scale, side: index ? 1 : 3, size: 46, grid: { ...axis.grid, show: index === 0 }, values: (_, splits) => splits.map((value) => this.#format(value, true)) })),
      ],
      cursor: { points: { size: 7 }, y: false, focus: { prox: 24 } },
      legend: { live: true },
      hooks: { setSelect: [({ select }) => select.width > 0 && this.#setZoomed(true)] },
    };
    this.#plot = new uPlot(options, this.#columns(), this.#holder);
    this.#plot.over.addEventListener("dblclick", () => this.#setZoomed(false));
  }
}

/** With some air above, so that a flat line is seen to be flat. */
function fromZero(high) {
  return [0, Math.max((high ?? 0) * 1.12, 1)];
}

/** For numbers that only grow: what they were at first is of no interest. */
function around(low, high) {
  const air = Math.max(1, ((high ?? 0) - (low ?? 0)) * 0.25);
  return low == null ? [0, 1] : [Math.max(0, Math.floor(low - air)), Math.ceil(high + air)];
}
