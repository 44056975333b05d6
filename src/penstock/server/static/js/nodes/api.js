// Storage nodes over the HTTP interface. Whatever fails, fails as a Problem.

import { call } from "../api.js";

const nodeUrl = (id) => `/v1/nodes/${encodeURIComponent(id)}`;

/** `{nodes, live, min_nodes, replicas, removing, upkeep}` */
export async function getCluster(signal) {
  return (await call("/v1/nodes", { signal })).json();
}

export function drain(id, draining) {
  const headers = { "Content-Type": "application/json" };
  return call(`${nodeUrl(id)}/drain`, { method: "POST", headers, body: JSON.stringify({ draining }) });
}

export function scrub(id) {
  return call(`${nodeUrl(id)}/scrub`, { method: "POST" });
}

/** Forget a node; with `force` also one that has parts that are nowhere else. */
export function remove(id, { force = false } = {}) {
  return call(`${nodeUrl(id)}?force=${force}`, { method: "DELETE" });
}
