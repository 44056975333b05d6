// What work on the store takes, or took: requests, bytes and dollars. Nothing of it is nothing to show.

import { bytes, count, facts } from "../format.js";

const DOLLARS = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
const SMALL_DOLLARS = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumSignificantDigits: 2 });

/** `0.00123` → `$0.0012`. */
function dollars(value) {
  return (value > 0 && value < 1 ? SMALL_DOLLARS : DOLLARS).format(value);
}

/** Of an archive or of its plan: `{usage: {puts, gets, received, sent} | null, cost}`. */
export function usageFacts({ usage, cost }) {
  if (!usage) return [];
  const { puts, gets, received, sent } = usage;
  const asked = puts + gets > 0;
  return [
    ["Requests to the store", asked && `${count(puts)} PUT, ${count(gets)} GET`],
    ["Through this server", received + sent > 0 && facts(`${bytes(received)} in`, `${bytes(sent)} out`)],
    ["Cost", asked && cost !== null && dollars(cost)],
  ];
}
