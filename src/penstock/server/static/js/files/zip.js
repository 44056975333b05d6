// Many files as one ZIP: have it planned, then let the browser fetch its address, which it can resume.

import { planZip } from "../api.js";
import { h } from "../dom.js";
import { bytes, moment, plural } from "../format.js";
import { nameOf } from "../keys.js";
import { notify, notifyProblem } from "../notices.js";

function zipName(prefix, folders, keys) {
  if (folders.length === 1 && keys.length === 0) return `${nameOf(folders[0])}.zip`;
  return `${prefix ? nameOf(prefix) : "files"}.zip`;
}

function renames(renamed) {
  if (!renamed?.length) return null;
  const rows = renamed.map(({ from, to }) => h("li", {}, h("bdi", {}, from), " is now ", h("bdi", {}, to)));
  const summary = h("summary", {}, `${plural(renamed.length, "name")} changed so that every system can unpack it`);
  return h("details", {}, summary, h("ul", {}, rows));
}

function report(zip) {
  const link = h("a", { href: zip.url, download: true }, "Download again");
  const facts = `${plural(zip.entries, "file")}, ${bytes(zip.size)}. Can be resumed until ${moment(zip.expires)}. `;
  notify(`${zip.name} is on its way`, { body: h("div", {}, h("p", {}, facts, link), renames(zip.renamed)) });
}

/** Fetch `keys` and `folders` (prefixes) of the folder `prefix` as one ZIP; `button` shows it is busy. */
export async function downloadZip({ prefix, folders, keys }, button) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    const zip = await planZip({ keys, prefixes: folders, name: zipName(prefix, folders, keys) });
    h("a", { href: zip.url, download: true }).click();
    report(zip);
  } catch (error) {
    notifyProblem("The ZIP could not be made", error);
  } finally {
    button.removeAttribute("aria-busy");
  }
}
