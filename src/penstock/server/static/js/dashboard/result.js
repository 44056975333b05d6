// What a job has made: the file, and what it took.

import { byId, h, icon, reconcile, setText } from "../dom.js";
import { bytes, count, duration, plural } from "../format.js";
import { folderUrl } from "../keys.js";
import { getArchive, getPull } from "./api.js";
import { codeFact, showFacts, timeFact } from "./facts.js";
import { usageFacts } from "./usage.js";

function sizeOf(size) {
  return size >= 1000 ? `${bytes(size)} (${plural(size, "byte")})` : plural(size, "byte");
}

/** What every stored file has. */
function fileFacts(file) {
  if (!file) return [];
  return [
    ["Size", sizeOf(file.size)],
    ["CRC-32", codeFact(file.crc32)],
    ["SHA-256", codeFact(file.sha256)],
  ];
}

function archiveFacts(archive) {
  const folder = archive.prefix || "all files";
  return [
    ["Folder", h("a", { href: folderUrl(archive.prefix) }, h("bdi", {}, folder))],
    ["Stored as", codeFact(archive.key)],
    ["Members", archive.members !== null && count(archive.members)],
    ...fileFacts(archive.archive),
    ["Made in", archive.seconds !== null && duration(archive.seconds)],
    ...usageFacts(archive),
    ["Most memory held", archive.memory_peak && bytes(archive.memory_peak)],
    ["Link good until", timeFact(archive.link_expires)],
    ["Tags", Object.entries(archive.tags ?? {}).map(([name, value]) => `${name}=${value}`).join(", ")],
  ];
}

function pullFacts(pull) {
  return [
    ["From", codeFact(pull.url)],
    ["Stored as", codeFact(pull.key)],
    ...fileFacts(pull.file),
    ["Type", pull.file?.content_type],
    ["Replaced a file", pull.replaced && "yes"],
  ];
}

const RESULTS = {
  archive: { title: "Archive", ask: getArchive, facts: archiveFacts, file: ({ archive }) => archive },
  pull: { title: "File", ask: getPull, facts: pullFacts, file: ({ file }) => file },
};

function downloadLink(made, file) {
  const href = made.link ?? (file && `${file.url}?download=1`);
  if (!href) return [];
  return [h("a", { class: "button small primary", href, download: true }, icon("download"), "Download")];
}

/** Nothing is known of another job's result. */
export function hideResult() {
  byId("result").hidden = true;
  byId("result-facts").replaceChildren();
  byId("result-link").replaceChildren();
}

/** Ask what a job has made, and show it. */
export async function showResult({ id, kind, state }, signal) {
  const result = RESULTS[kind];
  if (!result) return;
  const made = await result.ask(id, signal);
  if (signal.aborted) return;
  setText(byId("result-title"), result.title);
  showFacts(byId("result-facts"), result.facts(made));
  const links = state === "done" ? downloadLink(made, result.file(made)) : [];
  if (links[0]?.href !== byId("result-link").firstElementChild?.href) reconcile(byId("result-link"), links);
  byId("result").hidden = false;
}
