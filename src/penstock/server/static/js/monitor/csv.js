// The measurements as a file (RFC 4180).

import { h } from "../dom.js";
import { MEASURES } from "./measures.js";

function csvOf(samples) {
  const keys = Object.keys(MEASURES);
  const lines = samples.map((sample) => [new Date(sample.time * 1000).toISOString(), ...keys.map((key) => sample[key])]);
  return [["time", ...keys], ...lines].map((cells) => `${cells.join(",")}\r\n`).join("");
}

/** Have the browser save them. */
export function saveCsv(samples) {
  const name = `penstock-memory-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.csv`;
  const url = URL.createObjectURL(new Blob([csvOf(samples)], { type: "text/csv" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
