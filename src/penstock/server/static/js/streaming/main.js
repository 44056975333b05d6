// The streaming test: a ZIP of URLs, fetched by the browser itself, or chunk by chunk before one's eyes.

import { call } from "../api.js";
import { byId, setText } from "../dom.js";
import { plural } from "../format.js";
import { showServer } from "../server-name.js";
import { stayWhile } from "../session.js";
import { Board } from "./board.js";
import { placeFor, WAY } from "./received.js";

const NAME = "download.zip";
const board = new Board();
let request = null;

function urls() {
  return byId("urls").value.split("\n").map((line) => line.trim()).filter(Boolean);
}

/** What is wrong with what was typed, if anything. */
function objection(lines) {
  if (lines.length === 0) return "Give at least one URL.";
  const wrong = lines.find((line) => !URL.canParse(line) || !/^https?:/i.test(line));
  return wrong ? `This is no http or https URL: ${wrong}` : "";
}

function checked() {
  const lines = urls();
  const text = objection(lines);
  setText(byId("problem"), text);
  byId("problem").hidden = !text;
  if (text) byId("urls").focus();
  return text ? null : { urls: lines };
}

async function follow(body, place, signal) {
  const response = await call("/api/download", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });
  const length = response.headers.get("Content-Length");
  board.answered(length === null ? null : Number(length));
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    board.chunk(value.length);
    await place.write(value); // the disk sets the pace
  }
  await place.close();
}

/** The answers of stream-download's interface tell what is wrong in `message`. */
function reason(error) {
  if (error.name === "AbortError") return "Cancelled. Nothing was saved.";
  if (error.detail) return error.detail;
  return "The connection broke before the ZIP was complete. Nothing was saved.";
}

function setBusy(busy) {
  for (const id of ["native", "logged"]) byId(id).disabled = busy;
  byId("cancel").hidden = !busy;
  byId(busy ? "cancel" : "logged").focus();
}

async function downloadLogged() {
  const body = checked();
  if (!body) return;
  const place = await placeFor(NAME);
  if (!place) return;
  request = new AbortController();
  setBusy(true);
  board.begin();
  try {
    await follow(body, place, request.signal);
    board.complete();
  } catch (error) {
    await place.abort();
    if (error.name === "AbortError") board.idle(reason(error));
    else board.fail(reason(error));
  } finally {
    request = null;
    setBusy(false);
  }
}

function countUrls() {
  const { length } = urls();
  setText(byId("url-count"), length ? `${plural(length, "URL")}.` : "No URL yet.");
}

byId("form").addEventListener("submit", (event) => {
  const body = checked();
  if (body) byId("json").value = JSON.stringify(body);
  else event.preventDefault();
});
byId("logged").addEventListener("click", downloadLogged);
byId("cancel").addEventListener("click", () => request?.abort());
byId("urls").addEventListener("input", countUrls);
setText(byId("way"), WAY);
stayWhile(() => request !== null);
countUrls();
showServer();
