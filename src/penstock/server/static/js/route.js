// Which folder is shown: the `prefix` of the address, so back, forward, reload and bookmarks work.

import { folderUrl } from "./keys.js";
import { session } from "./session.js";

/** The folder in the address, always empty or ending in `/`; at first that of the login. */
export function currentPrefix() {
  const prefix = new URLSearchParams(location.search).get("prefix") ?? "";
  if (!prefix) return session.prefix;
  return prefix.endsWith("/") ? prefix : `${prefix}/`;
}

/** Call `show(prefix)` whenever another folder is asked for, by a link or by the history. */
export function followRoute(show) {
  window.addEventListener("popstate", () => show(currentPrefix()));
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-prefix]");
    const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button);
    if (!link || !plain) return;
    event.preventDefault();
    const { prefix } = link.dataset;
    if (prefix !== currentPrefix()) history.pushState(null, "", folderUrl(prefix));
    show(prefix);
  });
}
