// One job in the list. Its roles are spelled out: on a narrow screen the table is laid out as none.

import { h, reconcile, setText } from "../dom.js";
import { facts, moment, rate, sentence } from "../format.js";
import { jobUrl } from "./route.js";
import { stateIcon } from "./state-icon.js";
import { kindName, ordinal, progress, standing, stateName } from "./words.js";

function note(job, paused) {
  if (job.state === "failed" && job.error) return sentence(job.error.detail);
  const told = standing(job, paused);
  return job.state === "running" && job.rate ? `${told} · ${facts(rate(job.rate))}` : told;
}

/** A row with `update(job, paused)`, cheap enough to be called once a second. */
export function jobRow(id, kind, title, created) {
  const when = moment(created);
  const link = h("a", { class: "job-link", href: jobUrl(id) }, h("bdi", { title }, title));
  const about = h("span");
  const meta = h("p", { class: "job-meta" }, about, h("span", { class: "job-when" }, ` · ${when}`));
  const sign = h("span", { class: "job-sign" });
  const state = h("strong");
  const text = h("span", { class: "job-note" });
  const water = h("span");
  const pipe = h("div", { class: "pipe flows", role: "progressbar", "aria-label": title, "aria-valuemin": 0, "aria-valuemax": 100 }, water);
  const element = h(
    "tr",
    { role: "row", "data-id": id },
    h("th", { scope: "row", role: "rowheader", class: "c-job" }, link, meta),
    h("td", { role: "cell", class: "c-stand" }, h("div", { class: "job-stand" }, sign, h("p", {}, state, " ", text)), pipe),
    h("td", { role: "cell", class: "c-time" }, h("time", { datetime: created }, when)),
  );
  const update = (job, paused) => {
    const full = progress(job);
    setText(about, facts(kindName(kind), job.attempts > 1 && `${ordinal(job.attempts)} attempt`));
    setText(state, stateName(job));
    setText(text, note(job, paused));
    pipe.hidden = job.state !== "running" || full === null;
    if (full !== null) pipe.setAttribute("aria-valuenow", full);
    water.style.width = `${full ?? 0}%`;
    if (element.dataset.state === job.state) return;
    element.dataset.state = job.state;
    reconcile(sign, [stateIcon(job.state)]);
  };
  return { element, update };
}
