// The page of a link to put files by. Names that are taken already get a number: nothing is replaced, and nobody is
// shown what is there.

import { call } from "../api.js";
import { announce } from "../announce.js";
import { useBearer } from "../bearer.js";
import { byId, setText } from "../dom.js";
import { bytes, plural } from "../format.js";
import { notify } from "../notices.js";
import { Panel } from "../uploads/panel.js";
import { UploadQueue } from "../uploads/queue.js";
import { recall } from "../uploads/recall.js";
import { startTaking } from "../uploads/sources.js";
import { showMoment } from "./moment.js";

const MOST_NAMES = 99;
const { prefix, token, mostBytes } = document.body.dataset;

useBearer(token);
const queue = new UploadQueue();
queue.maxSize = mostBytes ? Number(mostBytes) : null;

function take(found) {
  if (found.length === 0) return notify("There was no file in what was added");
  const stopped = queue.resumable;
  const items = found.map(({ file, path }) => {
    const key = prefix + path;
    return { file, key, label: path, resumes: stopped.find((upload) => upload.key === key && upload.isOf(file)) };
  });
  const size = items.reduce((sum, { file }) => sum + file.size, 0);
  announce(`Uploading ${plural(items.length, "file")}, ${bytes(size)}.`);
  return queue.add(items);
}

/** `photos/a.jpg` → `photos/a (2).jpg` → `photos/a (3).jpg`; `null` when that goes on for too long. */
function nextName(path) {
  const [, stem, number, ending] = /^(.*?)(?: \((\d+)\))?((?:\.[^./]{1,12})?)$/s.exec(path);
  const next = Number(number ?? 1) + 1;
  return next > MOST_NAMES ? null : `${stem} (${next})${ending}`;
}

function giveOtherName(upload) {
  const label = nextName(upload.label);
  if (!label) return;
  queue.remove([upload]);
  queue.add([{ file: upload.file, key: prefix + label, label }]);
}

let asking = null;

/** How many files are taken still, soon. */
function showLeft() {
  asking ??= setTimeout(async () => {
    asking = null;
    try {
      const { left } = await (await call(`${location.pathname}/info`)).json();
      if (left === null) return;
      setText(byId("share-left"), plural(left, "file"));
      byId("share-none-left").hidden = left > 0;
    } catch { /* the uploads themselves say what is wrong */ }
  }, 500);
}

queue.addEventListener("upload", ({ detail: upload }) => {
  if (upload.state === "failed" && upload.problem.code === "precondition-failed") queueMicrotask(() => giveOtherName(upload));
  if (["done", "failed", "cancelled"].includes(upload.state)) showLeft();
});

new Panel(queue);
startTaking(take);
showMoment();
recall({ restore: (found) => queue.restore(found.map((one) => ({ ...one, label: one.key.slice(prefix.length) }))) }, ({ key }) => key.startsWith(prefix));
