// Which view is shown: the part of the address behind `#`, so back, forward, reload and bookmarks work.

/** The address of the list, of some state and kind. */
export function listUrl({ state = "", kind = "" } = {}) {
  const query = new URLSearchParams();
  if (state) query.set("state", state);
  if (kind) query.set("kind", kind);
  return query.size ? `#/?${query}` : "#/";
}

export function jobUrl(id) {
  return `#/jobs/${encodeURIComponent(id)}`;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `{view: "jobs" | "job" | "archive", …}` */
export function currentRoute() {
  const [path, search = ""] = location.hash.slice(1).split("?", 2);
  const query = new URLSearchParams(search);
  const job = /^\/jobs\/([^/]+)$/.exec(path);
  if (job) return { view: "job", id: decoded(job[1]) };
  if (path === "/archive") return { view: "archive", prefix: query.get("prefix") ?? "" };
  return { view: "jobs", state: query.get("state") ?? "", kind: query.get("kind") ?? "" };
}

/** Call `show(route)` whenever another one is asked for; a target within the page is none. */
export function followRoute(show) {
  window.addEventListener("hashchange", () => {
    if (location.hash === "" || location.hash.startsWith("#/")) show(currentRoute());
  });
}
