// What is in the folder or selected, and what can be done with it.

import { byId, setText } from "../dom.js";
import { bytes, plural } from "../format.js";
import { allows } from "../session.js";

function amount(folders, files) {
  const parts = [];
  if (folders) parts.push(plural(folders, "folder"));
  if (files) parts.push(plural(files, "file"));
  return parts.join(" and ");
}

function selected(listing, selection) {
  const { folders, keys } = selection;
  const size = keys.reduce((sum, key) => sum + (listing.file(key)?.size ?? 0), 0);
  const text = `${amount(folders.length, keys.length)} selected`;
  if (keys.length === 0) return text;
  return folders.length ? text : `${text} · ${bytes(size)}`;
}

function shown(listing) {
  if (listing.state !== "ready" || listing.empty) return "";
  return `${amount(listing.folders.length, listing.files.length)}${listing.next ? " shown, there are more" : ""}`;
}

/** Keep the bar in step; `actions`: `{zipSelection, zipFolder, shareSelection, shareFolder, remove}`. */
export function startBar(listing, selection, actions) {
  const draw = () => {
    const selecting = selection.size > 0;
    byId("bar").classList.toggle("selecting", selecting);
    setText(byId("bar-text"), selecting ? selected(listing, selection) : shown(listing));
    for (const id of ["zip-selection", "share-selection", "delete-selection", "clear-selection"]) byId(id).hidden = !selecting;
    byId("delete-selection").hidden ||= !allows("write");
    byId("bar").hidden = listing.state === "error" || (listing.state === "ready" && listing.empty);
    byId("zip-folder").hidden = selecting || !listing.prefix || listing.state !== "ready" || listing.empty;
    byId("share-folder").hidden = byId("zip-folder").hidden;
  };
  listing.addEventListener("change", draw);
  selection.addEventListener("change", draw);
  byId("zip-selection").addEventListener("click", actions.zipSelection);
  byId("zip-folder").addEventListener("click", actions.zipFolder);
  byId("share-selection").addEventListener("click", actions.shareSelection);
  byId("share-folder").addEventListener("click", actions.shareFolder);
  byId("delete-selection").addEventListener("click", actions.remove);
  byId("clear-selection").addEventListener("click", () => {
    selection.clear();
    byId("select-all").focus();
  });
  byId("listing").addEventListener("keydown", (event) => {
    if (event.key === "Escape") selection.clear();
  });
}
