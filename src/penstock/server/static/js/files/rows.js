// One row of the table, for a folder or for a file.

import { h, icon, nameElement } from "../dom.js";
import { bytes, count, moment } from "../format.js";
import { folderUrl, nameOf } from "../keys.js";
import { kindOf } from "./kinds.js";

function row(id, link, size, time) {
  const label = `Select ${nameOf(id)}`;
  const box = h("label", { class: "pick" }, h("input", { type: "checkbox", "data-pick": id, "aria-label": label }));
  return h(
    "tr",
    { "data-id": id },
    h("td", { class: "c-pick" }, box),
    h("th", { class: "c-name", scope: "row" }, link),
    h("td", { class: "c-size" }, size),
    h("td", { class: "c-time" }, time),
  );
}

export function folderRow(prefix) {
  const link = h(
    "a",
    { class: "entry folder-link", href: folderUrl(prefix), "data-prefix": prefix },
    icon("folder"),
    h("span", {}, nameElement(nameOf(prefix), "entry-name"), h("span", { class: "sr" }, " (folder)")),
  );
  return row(prefix, link, "", "");
}

export function fileRow(file) {
  const modified = moment(file.modified);
  const link = h(
    "a",
    { class: "entry", href: `${file.url}?download=1`, download: true },
    icon(kindOf(file)),
    h(
      "span",
      {},
      nameElement(nameOf(file.key), "entry-name"),
      h("span", { class: "sr" }, " (download)"),
      icon("download", "hint"),
      h("span", { class: "entry-meta" }, `${bytes(file.size)} · ${modified}`),
    ),
  );
  const size = h("span", { title: `${count(file.size)} bytes` }, bytes(file.size));
  return row(file.key, link, size, h("time", { datetime: file.modified }, modified));
}
