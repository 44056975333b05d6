// The sign of a job's state; its colour and motion are the style sheet's.

import { icon } from "../dom.js";
import { STATES } from "./words.js";

export function stateIcon(state) {
  return icon(STATES[state]?.icon ?? "file", `sign ${state}`);
}
