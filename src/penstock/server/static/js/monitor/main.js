// The memory monitor: asks the server for eight numbers at an interval, shows them, keeps those of a window.

import { announce } from "../announce.js";
import { call } from "../api.js";
import { Chart } from "../chart.js";
import { byId, h, setText } from "../dom.js";
import { plural } from "../format.js";
import { showServer } from "../server-name.js";
import { saveCsv } from "./csv.js";
import { MEASURES, METERS, megabytes, whole } from "./measures.js";
import { pointsOf, Samples } from "./samples.js";

const samples = new Samples();
/** The run that is under way, if any: `{request}`. */
let run = null;

const interval = () => Number(byId("interval").value);
const lines = (...keys) => keys.map((key) => ({ key, label: MEASURES[key].label }));

const charts = [
  new Chart(byId("chart-memory"), { title: "Memory over time (MB)", lines: lines("alloc_mb", "heap_alloc_mb", "sys_mb"), format: megabytes }),
  new Chart(byId("chart-tasks"), {
    title: "Tasks and GC cycles",
    lines: [{ key: "goroutines", label: "Tasks and threads" }, { key: "num_gc", label: "GC cycles (right)", scale: "gc" }],
    format: whole,
  }),
  new Chart(byId("chart-heap"), { title: "Private memory in detail (MB)", lines: lines("heap_inuse_mb", "heap_sys_mb"), format: megabytes }),
];

const values = Object.fromEntries(METERS.map((key) => [key, h("dd", {}, "–")]));
byId("meters").append(
  ...METERS.map((key) => h("div", { class: "panel meter", "data-key": key }, h("dt", {}, MEASURES[key].label), values[key])),
);
byId("meanings").append(
  ...Object.entries(MEASURES).map(([key, { label, meaning }]) => h("div", {}, h("dt", {}, label, h("code", {}, key)), h("dd", {}, meaning))),
);

function draw() {
  const latest = samples.all.at(-1);
  for (const key of METERS) setText(values[key], latest ? MEASURES[key].format(latest[key]) : "–");
  for (const chart of charts) chart.show(samples.all);
  for (const id of ["export", "clear"]) byId(id).disabled = !latest;
  showStatus();
}

function showStatus() {
  const seconds = interval() / 1000;
  const kept = samples.all.length ? ` · ${plural(samples.all.length, "point")}` : "";
  byId("status").dataset.state = run ? "active" : "stopped";
  setText(byId("status-text"), `${run ? `Monitoring active – refreshing every ${seconds} s` : "Monitoring stopped"}${kept}`);
}

function setLost(text) {
  setText(byId("lost-text"), text);
  byId("lost").hidden = !text;
}

async function measure(current) {
  try {
    const answer = await (await call("/debug/memory", { signal: current.request.signal })).json();
    if (current !== run) return;
    samples.add({ time: Date.now() / 1000, ...answer });
    setLost("");
    draw();
  } catch (error) {
    if (error.name !== "AbortError") setLost(`${error.detail ?? error.message} Trying again…`);
  }
}

/** One question at a time, each an interval after the one before it, or at once if that took longer. */
async function go(current) {
  while (current === run) {
    const due = performance.now() + interval();
    await measure(current);
    await pause(due - performance.now(), current.request.signal);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(0, milliseconds));
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function begin() {
  run?.request.abort();
  run = { request: new AbortController() };
  go(run);
}

function start() {
  begin();
  byId("start").disabled = true;
  byId("stop").disabled = false;
  byId("stop").focus();
  showStatus();
  announce("Monitoring started.");
}

function stop() {
  run?.request.abort();
  run = null;
  byId("start").disabled = false;
  byId("stop").disabled = true;
  byId("start").focus();
  setLost("");
  showStatus();
  announce("Monitoring stopped.");
}

function fit() {
  samples.limit = pointsOf(Number(byId("window").value), interval());
  draw();
}

byId("start").addEventListener("click", start);
byId("stop").addEventListener("click", stop);
byId("clear").addEventListener("click", () => {
  samples.clear();
  draw();
  announce("Data cleared.");
  byId(run ? "stop" : "start").focus();
});
byId("export").addEventListener("click", () => saveCsv(samples.all));
byId("window").addEventListener("change", fit);
byId("interval").addEventListener("change", () => {
  fit();
  if (run) begin();
});
fit();
showServer();
