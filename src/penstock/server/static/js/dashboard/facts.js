// Lists of names and values.

import { h, reconcile, setText } from "../dom.js";
import { moment } from "../format.js";

/** Show `[[name, value], …]` in a `dl`; a value is text or a node, what has none is left out. */
export function showFacts(list, pairs) {
  const shown = pairs.filter(([, value]) => value != null && value !== false && value !== "");
  const nodes = shown.map(([name, value], index) => {
    const old = list.children[index];
    const node = old?.dataset.name === name ? old : h("div", { "data-name": name }, h("dt", {}, name), h("dd"));
    const holder = node.lastElementChild;
    if (typeof value === "string") setText(holder, value);
    else if (holder.textContent !== value.textContent) holder.replaceChildren(value);
    return node;
  });
  reconcile(list, nodes);
}

/** A time for readers and for programs. */
export function timeFact(text) {
  return text && h("time", { datetime: text }, moment(text));
}

/** What is long and of no language: keys, digests. */
export function codeFact(text) {
  return text && h("code", {}, text);
}
