// When a link ends, in the reader's own zone and manner.

import { byId, setText } from "../dom.js";
import { moment } from "../format.js";

export function showMoment() {
  const time = byId("share-expires");
  if (time.dateTime) setText(time, moment(time.dateTime));
}
