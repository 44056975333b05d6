// Folders to choose from, while one is being typed.

import { list } from "../api.js";
import { h } from "../dom.js";
import { session } from "../session.js";

const PAUSE_MS = 200;
const MOST = 50;

/** Offer the folders below the last slash of what `input` has. */
export function suggestFolders(input, datalist) {
  let timer = null;
  let offered = null;
  const offer = async () => {
    const typed = input.value.slice(0, input.value.lastIndexOf("/") + 1);
    const parent = typed.startsWith(session.prefix) ? typed : session.prefix;
    if (parent === offered) return;
    offered = parent;
    try {
      const { prefixes } = await list(parent, { limit: 1000 });
      if (offered === parent) datalist.replaceChildren(...prefixes.slice(0, MOST).map((prefix) => h("option", { value: prefix })));
    } catch {
      offered = null; // a folder that cannot be: the plan will say so
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(offer, PAUSE_MS);
  };
  input.addEventListener("input", soon);
  input.addEventListener("focus", soon);
}
