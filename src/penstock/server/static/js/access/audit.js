// The audit log: who did what, the latest first.

import { byId, h } from "../dom.js";
import { session } from "../session.js";
import { listAudit } from "./api.js";
import { Ledger } from "./ledger.js";
import { when } from "./words.js";

const known = new Set(["file.put", "file.get", "file.remove", "login", "login.failed", "logout", "token.add", "token.remove", "share.add", "share.remove", "access.denied"]);
const filter = { action: "", actor: "" };

function offer(lines) {
  for (const { action } of lines) known.add(action);
  byId("actions").replaceChildren(...[...known].sort().map((action) => h("option", { value: action })));
}

function who({ name, actor }) {
  const shown = [h("p", {}, h("bdi", {}, name || actor))];
  return name && name !== actor ? [...shown, h("p", { class: "item-meta" }, h("code", {}, actor))] : shown;
}

function subject({ subject: text }) {
  return text ? h("bdi", {}, text) : h("span", { class: "faint" }, "–");
}

function outcome({ status }) {
  return h("span", { class: status >= 400 ? "refused" : "" }, String(status));
}

function emptyText() {
  if (filter.action || filter.actor) return { title: "No such lines", text: "Nothing of this kind was done by this actor, or it is longer ago than the log is kept." };
  if (session.actor === "anyone") return { title: "Nothing is noted", text: "The audit log is kept as long as access control is on." };
  return { title: "Nothing noted yet", text: "Logins, changes, downloads and refusals appear here." };
}

export function auditList() {
  const list = new Ledger(byId("audit-list"), {
    caption: "Audit log, the latest first",
    columns: [{ name: "Time", style: "c-time" }, { name: "Who", style: "c-who" }, { name: "Action", style: "c-action" }, { name: "What" }, { name: "Status", style: "c-status" }, { name: "From", style: "c-from" }],
    async load({ after, signal }) {
      const { lines, next } = await listAudit({ ...filter, after, signal });
      offer(lines);
      return { items: lines, next };
    },
    row: (line) => [when(line.time, ""), who(line), h("code", {}, line.action), subject(line), outcome(line), line.remote],
    empty: emptyText,
    failure: "The audit log could not be shown",
  });
  byId("audit-filter").addEventListener("submit", (event) => {
    event.preventDefault();
    filter.action = byId("audit-action").value.trim();
    filter.actor = byId("audit-actor").value.trim();
    list.refresh();
  });
  offer([]);
  return list;
}
