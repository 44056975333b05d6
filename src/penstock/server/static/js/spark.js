// A small line of recent values, drawn into the two paths of an SVG.

const KEPT = 60;

export class Spark {
  #values = [];
  #svg;

  constructor(svg) {
    this.#svg = svg;
  }

  /** Append a value, forget the oldest, draw. */
  push(value) {
    this.#values.push(value);
    if (this.#values.length > KEPT) this.#values.shift();
    this.#draw();
  }

  clear() {
    this.#values = [];
    this.#draw();
  }

  #draw() {
    const { width, height } = this.#svg.viewBox.baseVal;
    const top = Math.max(...this.#values, 1);
    const step = width / Math.max(1, this.#values.length - 1);
    const points = this.#values.map((value, index) => `${(index * step).toFixed(1)} ${(height - 2 - (value / top) * (height - 4)).toFixed(1)}`);
    const line = points.length > 1 ? `M${points.join("L")}` : "";
    const [area, stroke] = this.#svg.querySelectorAll("path");
    area.setAttribute("d", line && `${line}L${width} ${height}L0 ${height}Z`);
    stroke.setAttribute("d", line);
  }
}
