// One upload in the list.

import { h, icon, setText } from "../dom.js";
import { bytes, duration, facts, percent, rate } from "../format.js";
import { nameOf } from "../keys.js";
import { chooseAgain } from "./recall.js";

const UNDER_WAY = new Set(["waiting", "sending", "retrying", "paused", "interrupted"]);

function again(retryAt) {
  const seconds = Math.ceil((retryAt - performance.now()) / 1000);
  return seconds > 0 ? `Trying again in ${duration(seconds)}.` : "Trying again…";
}

function failure({ problem, url }) {
  if (problem.code === "precondition-failed") return "A file of this name is stored here already.";
  return url ? `${problem.detail} What has arrived is kept.` : problem.detail;
}

function note(upload) {
  const { state, sent, size, meter, problem } = upload;
  const arrived = `${facts(bytes(sent))} of ${facts(bytes(size))}`;
  if (state === "waiting") return problem ? `${problem.detail} Trying again soon.` : `Waiting · ${bytes(size)}`;
  if (state === "retrying") return `${problem.detail} ${again(upload.retryAt)}`;
  if (state === "paused") return problem ? problem.detail : `Paused · ${arrived}`;
  if (state === "interrupted") return `Interrupted at ${arrived}: choose the file again to go on.`;
  if (state === "done") return `Stored · ${bytes(size)}`;
  if (state === "cancelled") return "Cancelled";
  if (state === "failed") return failure(upload);
  if (sent >= size) return `${bytes(size)} · being written to disk`;
  const eta = meter.eta(size - sent);
  return facts(`${bytes(sent)} of ${bytes(size)}`, eta && rate(meter.rate), eta && `${duration(eta)} left`);
}

function actions(queue, upload) {
  const name = nameOf(upload.key);
  const button = (label, content, style, act) =>
    h("button", { type: "button", class: style, "aria-label": `${label} ${name}`, title: label, on: { click: act } }, content);
  const small = (label, act) => button(label, label, "button small", act);
  const picture = (label, image, act) => button(label, icon(image), "icon-button", act);
  const cancel = picture("Cancel", "close", () => queue.cancel(upload));
  const pause = picture("Pause", "pause", () => queue.pause(upload));
  const discard = picture("Discard", "trash", () => queue.discard(upload));
  switch (upload.state) {
    case "waiting":
    case "sending":
      return [pause, cancel];
    case "retrying":
      return [picture("Try now", "retry", () => queue.hurry(upload)), pause, cancel];
    case "paused":
      return [picture("Resume", "resume", () => queue.goOn(upload)), cancel];
    case "interrupted":
      return [small("Choose", () => chooseAgain(queue, upload)), discard];
    case "done":
      return [h("span", { class: "upload-done" }, icon("check"))];
    default: {
      const taken = upload.problem?.code === "precondition-failed";
      if (taken) return [small("Replace", () => queue.retry(upload, { replace: true }))];
      return [upload.retryable && small("Retry", () => queue.retry(upload)), upload.url && discard].filter(Boolean);
    }
  }
}

/** The key; where room is short, its folder gives way before its name does. */
function keyElement(key) {
  const slash = Math.max(0, key.lastIndexOf("/"));
  const folder = key.slice(0, slash);
  return h("bdi", { class: "upload-name", title: key }, folder && h("span", {}, folder), h("span", {}, key.slice(slash)));
}

/** Keep the focus on the same button, or on what takes its place. */
function swap(holder, nodes) {
  const focused = holder.contains(document.activeElement) && document.activeElement.title;
  holder.replaceChildren(...nodes);
  if (focused === false) return;
  const buttons = nodes.filter(({ tagName }) => tagName === "BUTTON");
  (buttons.find(({ title }) => title === focused) ?? buttons[0] ?? holder.closest("[tabindex]"))?.focus();
}

/** A row with `update()`, cheap enough to be called several times a second. */
export function uploadRow(queue, upload) {
  const water = h("span");
  const pipe = h("div", { class: "pipe", role: "progressbar", "aria-label": nameOf(upload.key), "aria-valuemin": 0, "aria-valuemax": 100 }, water);
  const text = h("p", { class: "upload-note" });
  const holder = h("div", { class: "upload-actions" });
  const element = h("li", { class: "upload" }, keyElement(upload.label), text, holder, pipe);
  const update = () => {
    const full = upload.state === "done" ? 100 : percent(upload.sent, upload.size);
    setText(text, note(upload));
    water.style.width = `${full}%`;
    pipe.setAttribute("aria-valuenow", full);
    pipe.classList.toggle("flows", upload.state === "sending");
    pipe.hidden = !UNDER_WAY.has(upload.state);
    if (element.dataset.state === upload.state) return;
    element.dataset.state = upload.state;
    swap(holder, actions(queue, upload));
  };
  update();
  return { element, update };
}
