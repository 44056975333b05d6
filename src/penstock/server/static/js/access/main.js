// The page of access: tokens, share links, the audit log; which of them is shown stands behind `#`.

import { byId } from "../dom.js";
import { showServer } from "../server-name.js";
import { session } from "../session.js";
import { auditList } from "./audit.js";
import { shareList } from "./shares.js";
import { tokenList } from "./tokens.js";

const TITLES = { tokens: "Access", shares: "Share links", audit: "Audit log" };
const lists = { tokens: tokenList(), shares: shareList(), audit: auditList() };

function wanted() {
  const name = location.hash.slice(1);
  return name in lists ? name : null;
}

function show(name) {
  for (const other of Object.keys(lists)) byId(`view-${other}`).hidden = other !== name;
  for (const link of byId("tabs").children) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  byId("make-token").hidden = name !== "tokens";
  document.title = `${TITLES[name]} · Penstock`;
  lists[name].refresh();
}

window.addEventListener("hashchange", () => {
  const name = wanted();
  if (!name) return; // a jump within the page
  show(name);
  byId(`${name}-title`).focus({ preventScroll: true });
});
byId("open-house").hidden = session.actor !== "anyone";
show(wanted() ?? "tokens");
showServer();
