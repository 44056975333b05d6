// The share links there are.

import { copyBy } from "../copy.js";
import { ask } from "../dialog.js";
import { byId, h, icon } from "../dom.js";
import { count, plural } from "../format.js";
import { notify, notifyProblem } from "../notices.js";
import { endShare, listShares } from "./api.js";
import { Ledger } from "./ledger.js";
import { expiry, when } from "./words.js";

const isUpload = ({ kind }) => kind === "upload";

function about(share) {
  const kind = isUpload(share) ? `Takes files into ${share.prefix || "all files"}` : "Gives files away";
  return [
    h("p", { class: "item-name" }, h("bdi", {}, share.title || share.id)),
    h("p", { class: "item-meta" }, kind, share.has_password && " · with a password"),
  ];
}

function used(share) {
  const noun = isUpload(share) ? "file" : "download";
  return share.most === null ? plural(share.count, noun) : `${count(share.count)} of ${plural(share.most, noun)}`;
}

async function end(share, list) {
  const answer = await ask({
    title: `End “${share.title || share.id}”?`,
    text: "The link leads nowhere from now on. The files stay.",
    choices: [
      { value: "", label: "Keep" },
      { value: "end", label: "End the link", style: "danger solid" },
    ],
  });
  if (answer !== "end") return;
  try {
    await endShare(share.id);
    notify("The link is ended");
  } catch (error) {
    notifyProblem("The link could not be ended", error);
  }
  await list.refresh();
  byId("shares-title").focus();
}

function actions(share, list) {
  const text = h("span", { class: "sr" }, share.url);
  const name = share.title || share.id;
  const copying = h("button", { type: "button", class: "button small", "aria-label": `Copy the link to ${name}` }, icon("copy"), "Copy");
  copying.addEventListener("click", () => copyBy(copying, text));
  const ending = h("button", { type: "button", class: "icon-button", "aria-label": `End the link to ${name}`, title: "End", on: { click: () => end(share, list) } }, icon("trash"));
  return h("div", { class: "row-actions" }, copying, ending, text);
}

export function shareList() {
  const list = new Ledger(byId("shares-list"), {
    caption: "Share links",
    columns: [{ name: "Link" }, { name: "Used", style: "c-when" }, { name: "Created", style: "c-when" }, { name: "Expires", style: "c-when" }, { name: "", style: "c-acts" }],
    load: async ({ signal }) => ({ items: await listShares(signal), next: null }),
    row: (share) => [about(share), used(share), when(share.created, ""), expiry(share.expires), actions(share, list)],
    empty: () => ({ title: "No share link", text: "Select something on the page of files and choose Share, or ask for files into a folder." }),
    failure: "The share links could not be shown",
  });
  return list;
}
