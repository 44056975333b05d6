// Where we are: title, breadcrumbs, and the name on the drop target.

import { byId, h, reconcile, setText } from "../dom.js";
import { folderUrl, nameOf, trail } from "../keys.js";
import { session } from "../session.js";

function crumb(prefix) {
  return h("li", {}, h("a", { href: folderUrl(prefix), "data-prefix": prefix }, h("bdi", {}, nameOf(prefix))));
}

/** Name the folder everywhere; with `focus`, take the reader to its heading. */
export function showHeading(prefix, { focus = false } = {}) {
  const name = nameOf(prefix);
  // A login that is bound to a folder sees nothing above it.
  const above = prefix ? ["", ...trail(prefix).slice(0, -1)].filter((folder) => folder.startsWith(session.prefix)) : [];
  byId("crumbs").hidden = above.length === 0;
  reconcile(byId("crumbs"), [h("ol", {}, above.map(crumb))]);
  setText(byId("folder-name"), name);
  setText(byId("drop-name"), name);
  setText(byId("table-caption"), `Files and folders in ${name}`);
  document.title = `${prefix ? name : "Files"} · Penstock`;
  if (focus) byId("folder-name").focus({ preventScroll: true });
}
