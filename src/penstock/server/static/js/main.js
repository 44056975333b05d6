// The page of files: joins the folder, the selection and the uploads.

import { byId, h } from "./dom.js";
import { startBar } from "./files/bar.js";
import { showHeading } from "./files/heading.js";
import { Listing } from "./files/listing.js";
import { removeSelected } from "./files/remove.js";
import { Selection } from "./files/selection.js";
import { Table } from "./files/table.js";
import { downloadZip } from "./files/zip.js";
import { notify } from "./notices.js";
import { currentPrefix, followRoute } from "./route.js";
import { showServer } from "./server-name.js";
import { loginUrl, onLoginEnded, stayWhile } from "./session.js";
import { askForFiles, shareFiles } from "./shares/dialog.js";
import { takeIn } from "./uploads/intake.js";
import { Panel } from "./uploads/panel.js";
import { UploadQueue } from "./uploads/queue.js";
import { recall } from "./uploads/recall.js";
import { startSources } from "./uploads/sources.js";

const REFRESH_MS = 1500;

const listing = new Listing();
const selection = new Selection();
const queue = new UploadQueue();

function show(prefix, options) {
  selection.clear();
  showHeading(prefix, options);
  return listing.open(prefix);
}

async function remove(event) {
  const { folders, keys } = selection;
  if (!(await removeSelected({ folders, keys }, event.currentTarget ?? byId("delete-selection")))) return;
  selection.clear();
  await listing.refresh();
  byId("folder-name").focus();
}

/** What has arrived in the folder shown appears in it, though not more often than need be. */
function followUploads() {
  let timer = null;
  queue.addEventListener("upload", ({ detail: upload }) => {
    if (upload.state !== "done" || !upload.key.startsWith(listing.prefix)) return;
    timer ??= setTimeout(() => {
      timer = null;
      listing.refresh();
    }, queue.busy ? REFRESH_MS : 100);
  });
}

/** Uploads are not lost with the login: the page stays, and they go on after another one. */
function keepUploads() {
  stayWhile(() => queue.busy || queue.counts.paused > 0);
  onLoginEnded(() => {
    const link = h("a", { href: loginUrl(), target: "_blank", rel: "noopener" }, "Log in in another tab");
    notify("Your login has ended", { bad: true, body: h("p", {}, "Uploads are paused, nothing is lost. ", link, ", then resume them here.") });
  });
}

new Table(listing, selection);
new Panel(queue);
startBar(listing, selection, {
  zipSelection: (event) => downloadZip({ prefix: listing.prefix, folders: selection.folders, keys: selection.keys }, event.currentTarget),
  zipFolder: (event) => downloadZip({ prefix: listing.prefix, folders: [listing.prefix], keys: [] }, event.currentTarget),
  shareSelection: () => shareFiles({ prefix: listing.prefix, folders: selection.folders, keys: selection.keys }),
  shareFolder: () => shareFiles({ prefix: listing.prefix, folders: [listing.prefix], keys: [] }),
  remove,
});
startSources((found) => takeIn(queue, listing.prefix, found));
byId("ask-files").addEventListener("click", () => askForFiles(listing.prefix));
followUploads();
keepUploads();
followRoute((prefix) => show(prefix, { focus: true }));
show(currentPrefix());
showServer().then((server) => { queue.maxSize = server?.limits?.max_body ?? null; });
recall(queue);
