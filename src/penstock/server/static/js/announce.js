// What screen readers hear. Sparingly: beginnings, ends and failures.

import { byId } from "./dom.js";

let pending = [];
let timer = null;

function speak() {
  byId("announce").textContent = pending.join(" ");
  pending = [];
  timer = null;
}

/** Say a sentence; what comes within a quarter of a second is said together. */
export function announce(sentence) {
  pending.push(sentence);
  timer ??= setTimeout(speak, 250);
}
