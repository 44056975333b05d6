// Tokens, share links and the audit log over the HTTP interface. Whatever fails, fails as a Problem.

import { call } from "../api.js";

const LINES = 50;

/** All tokens, the newest first: `[{id, name, scopes, prefix, created, expires, used, request_rate, byte_rate, maker}]`. */
export async function listTokens(signal) {
  return (await (await call("/v1/tokens", { signal })).json()).tokens;
}

/** `wish`: `{name, scopes, prefix, expires_in, request_rate, byte_rate}`; the answer has its text as `token`, which nobody can have again. */
export async function addToken(wish) {
  const headers = { "Content-Type": "application/json" };
  return (await call("/v1/tokens", { method: "POST", headers, body: JSON.stringify(wish) })).json();
}

export function removeToken(id) {
  return call(`/v1/tokens/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** `[{id, url, kind, title, created, expires, most, count, has_password, maker, …}]` */
export async function listShares(signal) {
  return (await (await call("/v1/shares", { signal })).json()).shares;
}

export function endShare(id) {
  return call(`/v1/shares/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** One page, the newest first: `{lines, next}`. */
export async function listAudit({ after, action, actor, signal }) {
  const query = new URLSearchParams({ limit: LINES });
  for (const [name, value] of Object.entries({ after, action, actor })) if (value) query.set(name, value);
  return (await call(`/v1/audit?${query}`, { signal })).json();
}
