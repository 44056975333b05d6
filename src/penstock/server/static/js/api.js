// The HTTP interface, as this page uses it. Whatever fails, fails as a Problem.

import { withBearer } from "./bearer.js";
import { sentence } from "./format.js";
import { fileUrl } from "./keys.js";
import { loginEnded, loginRenewed } from "./session.js";

const TUS = { "Tus-Resumable": "1.0.0" };
const UNREACHABLE = "The server cannot be reached. Check that it is running, then try again.";

/** An error to show: the server's problem document (RFC 9457), or what happened on the way to it. */
export class Problem extends Error {
  constructor({ status = 0, code = "unreachable", detail = UNREACHABLE, retryAfter = null, parts = null } = {}) {
    super(detail);
    Object.assign(this, { status, code, detail, retryAfter, parts });
  }
}

/** The problem in a response body, or one made up from the status when there is none. */
export function problemFrom(status, text, retryAfter = null) {
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch { /* not JSON: a proxy answered, the status has to do */ }
  return new Problem({
    status,
    code: body.code ?? "internal",
    detail: sentence(body.detail ?? body.message ?? body.title ?? `the server answered with status ${status}`),
    retryAfter: Number.parseFloat(retryAfter) || null,
    parts: body.parts ?? null,
  });
}

/** Send a request; the answer, which is a good one. */
export async function call(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { cache: "no-store", ...options, headers: withBearer(options.headers) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem();
  }
  if (!response.ok) {
    if (response.status === 401) loginEnded();
    throw problemFrom(response.status, await response.text(), response.headers.get("Retry-After"));
  }
  loginRenewed();
  return response;
}

/** One page: `{files, prefixes, next}`. */
export async function list(prefix, { after = "", delimiter = "/", limit = 1000, signal } = {}) {
  const query = new URLSearchParams({ prefix, limit });
  if (after) query.set("after", after);
  if (delimiter) query.set("delimiter", delimiter);
  return (await call(`/v1/files?${query}`, { signal })).json();
}

/** Every file below a prefix, page by page. */
export async function* filesBelow(prefix) {
  let after = "";
  do {
    const page = await orNothing(list(prefix, { after, delimiter: "" }), { files: [], next: null });
    yield page.files;
    after = page.next;
  } while (after);
}

/** Whether a file is stored under exactly this key: it sorts before all it is a prefix of. */
export async function isStored(key) {
  const page = await orNothing(list(key, { delimiter: "", limit: 1 }), { files: [] });
  return page.files[0]?.key === key;
}

/** Under a key that cannot be, nothing is stored. The upload will be told why it cannot be. */
async function orNothing(answer, nothing) {
  try {
    return await answer;
  } catch (error) {
    if (error.status !== 400) throw error;
    return nothing;
  }
}

/** Delete a file; one that is gone already is as good as deleted. */
export async function remove(key) {
  try {
    await call(fileUrl(key), { method: "DELETE" });
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

/** Whether exactly the bytes of `file` are stored under a key; for small files, it reads them. */
export async function holds(key, file) {
  try {
    const response = await call(fileUrl(key));
    if (Number(response.headers.get("Content-Length")) !== file.size) {
      await response.body?.cancel();
      return false;
    }
    const [theirs, ours] = (await Promise.all([response.arrayBuffer(), file.arrayBuffer()])).map((data) => new Uint8Array(data));
    return theirs.length === ours.length && theirs.every((byte, index) => byte === ours[index]);
  } catch {
    return false;
  }
}

/** The upload at `url`, which is one to `key`: `{offset, length, active, …}`; `null` once it has ended. Asking disturbs nobody. */
export async function openUpload(key, url) {
  const { uploads } = await (await call(`/v1/uploads?${new URLSearchParams({ key })}`)).json();
  return uploads.find(({ id }) => url.endsWith(`/${id}`)) ?? null;
}

/** How an upload has ended: nothing if well, else the Problem it ended with. */
export async function endOf(url) {
  await call(url, { headers: TUS });
}

/** Have the server forget an upload and what has arrived of it, even if the page is left meanwhile. */
export async function discard(url) {
  try {
    await call(url, { method: "DELETE", headers: TUS, keepalive: true });
  } catch (error) {
    if (error.status !== 404 && error.status !== 410) throw error;
  }
}

/** Have a ZIP planned: `{url, name, size, entries, renamed, expires}`. */
export async function planZip(selection) {
  const response = await call("/v1/zips", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(selection),
  });
  return response.json();
}

/** Find out whether the login still stands; if not, who listens is told. */
export async function checkLogin() {
  try {
    await call("/v1/session");
  } catch { /* whoever needed the answer says so itself */ }
}

/** `{name, version, limits}`. */
export async function serverInfo() {
  return (await call("/v1/server")).json();
}
