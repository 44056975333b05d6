// What a job has noted, the oldest line first.

import { byId, h, reconcile } from "../dom.js";
import { moment } from "../format.js";

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

function row({ at, text, number }) {
  const time = h("time", { datetime: at, title: moment(at) }, TIME.format(new Date(at)));
  return h("li", { "data-number": number }, time, h("span", {}, text));
}

/** Show the lines; who reads the last one goes on reading the last one. */
export function showLog(lines) {
  const log = byId("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
  const old = new Map([...log.children].map((item) => [item.dataset.number, item]));
  reconcile(log, lines.map((line) => old.get(String(line.number)) ?? row(line)));
  log.hidden = lines.length === 0;
  byId("log-empty").hidden = lines.length > 0;
  if (atEnd) log.scrollTop = log.scrollHeight;
}
