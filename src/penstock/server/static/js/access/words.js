// How access is told to people.

import { h } from "../dom.js";
import { moment } from "../format.js";

/** In the order shown, with what each is good for. */
export const SCOPES = {
  read: "List files and get them, also as a ZIP.",
  write: "Put files, remove them, and have them pulled from other servers.",
  archive: "Have archives made, and look after jobs.",
  admin: "Everything: also tokens, lanes, storage nodes, the audit log and profiles.",
};

/** A time for readers and for programs; `otherwise` where there is none. */
export function when(text, otherwise) {
  return text ? h("time", { datetime: text }, moment(text)) : h("span", { class: "faint" }, otherwise);
}

function isOver(expires) {
  return expires !== null && new Date(expires) <= new Date();
}

/** When it ends, or that it has. */
export function expiry(expires) {
  return isOver(expires) ? h("span", { class: "badge expired" }, "Expired") : when(expires, "Never");
}
