// One upload in the list.

import { h, icon, nameElement, setText } from "../dom.js";
import { bytes, duration, facts, percent, rate } from "../format.js";
import { nameOf } from "../keys.js";

function note(upload) {
  const { state, sent, size, meter, problem } = upload;
  if (state === "waiting") return problem ? `${problem.detail} Trying again soon.` : `Waiting · ${bytes(size)}`;
  if (state === "done") return `Stored · ${bytes(size)}`;
  if (state === "cancelled") return "Cancelled";
  if (state === "failed") return problem.status === 412 ? "A file of this name is stored here already." : problem.detail;
  if (sent >= size) return `${bytes(size)} · being written to disk`;
  const eta = meter.eta(size - sent);
  return facts(`${bytes(sent)} of ${bytes(size)}`, eta && rate(meter.rate), eta && `${duration(eta)} left`);
}

function actions(queue, upload) {
  const name = nameOf(upload.key);
  const button = (label, content, style, act) =>
    h("button", { type: "button", class: style, "aria-label": `${label} ${name}`, title: label, on: { click: act } }, content);
  const again = (label, options) => [button(label, label, "button small", () => queue.retry(upload, options))];
  if (upload.state === "waiting" || upload.state === "sending") {
    return [button("Cancel", icon("close"), "icon-button", () => queue.cancel(upload))];
  }
  if (upload.state === "done") return [h("span", { class: "upload-done" }, icon("check"))];
  if (upload.problem?.status === 412) return again("Replace", { replace: true });
  return upload.retryable ? again("Retry") : [];
}

/** Keep a focused button focused when the row's button becomes another one. */
function swap(holder, nodes) {
  const focused = holder.contains(document.activeElement);
  holder.replaceChildren(...nodes);
  if (focused) (holder.querySelector("button") ?? holder.closest("[tabindex]"))?.focus();
}

/** A row with `update()`, cheap enough to be called several times a second. */
export function uploadRow(queue, upload) {
  const water = h("span");
  const pipe = h("div", { class: "pipe", role: "progressbar", "aria-label": nameOf(upload.key), "aria-valuemin": 0, "aria-valuemax": 100 }, water);
  const text = h("p", { class: "upload-note" });
  const holder = h("div", { class: "upload-actions" });
  const element = h("li", { class: "upload" }, nameElement(upload.key, "upload-name"), text, holder, pipe);
  const update = () => {
    const full = upload.state === "done" ? 100 : percent(upload.sent, upload.size);
    setText(text, note(upload));
    water.style.width = `${full}%`;
    pipe.setAttribute("aria-valuenow", full);
    pipe.classList.toggle("flows", upload.state === "sending");
    pipe.hidden = upload.state !== "waiting" && upload.state !== "sending";
    if (element.dataset.state === upload.state) return;
    element.dataset.state = upload.state;
    swap(holder, actions(queue, upload));
  };
  update();
  return { element, update };
}
