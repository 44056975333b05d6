// The tokens there are.

import { ask } from "../dialog.js";
import { byId, h, icon } from "../dom.js";
import { facts, rate } from "../format.js";
import { notify, notifyProblem } from "../notices.js";
import { session } from "../session.js";
import { listTokens, removeToken } from "./api.js";
import { Ledger } from "./ledger.js";
import { askForToken, showToken } from "./token-dialog.js";
import { expiry, SCOPES, when } from "./words.js";

const isOwn = ({ id }) => session.actor === `token:${id}`;

function about(token) {
  const limits = facts(token.request_rate && `${token.request_rate} requests/s`, token.byte_rate && rate(token.byte_rate));
  return [
    h("p", { class: "item-name" }, h("bdi", {}, token.name || "(no name)"), isOwn(token) && h("span", { class: "chip" }, "This login")),
    h("p", { class: "item-meta" }, h("code", {}, token.id), limits && ` · ${limits}`),
  ];
}

function use(token) {
  const scopes = token.scopes.map((scope) => h("span", { class: "chip", title: SCOPES[scope] }, scope));
  return [h("p", { class: "chips" }, scopes), token.prefix && h("p", { class: "item-meta" }, "only ", h("code", {}, token.prefix))].filter(Boolean);
}

async function remove(token, list) {
  const answer = await ask({
    title: `Remove “${token.name || token.id}”?`,
    text: `Whoever uses it is refused at once; its logins and its share links end.${isOwn(token) ? " You are logged in with it: this logs you out." : ""}`,
    choices: [
      { value: "", label: "Keep" },
      { value: "remove", label: "Remove the token", style: "danger solid" },
    ],
  });
  if (answer !== "remove") return;
  try {
    await removeToken(token.id);
    notify("The token is removed");
  } catch (error) {
    notifyProblem("The token could not be removed", error);
  }
  await list.refresh();
  byId("tokens-title").focus();
}

function removeButton(token, list) {
  const label = `Remove the token ${token.name || token.id}`;
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: "Remove", on: { click: () => remove(token, list) } }, icon("trash"));
}

export function tokenList() {
  const list = new Ledger(byId("tokens-list"), {
    caption: "Tokens, the newest first",
    columns: [{ name: "Token" }, { name: "Good for", style: "c-use" }, { name: "Expires", style: "c-when" }, { name: "Last used", style: "c-when" }, { name: "", style: "c-act" }],
    load: async ({ signal }) => ({ items: await listTokens(signal), next: null }),
    row: (token) => [about(token), use(token), expiry(token.expires), when(token.used, "Never"), removeButton(token, list)],
    empty: () => ({ title: "No token yet", text: "A token lets a person or a program in, for as much as it is to do. Make one above." }),
    failure: "The tokens could not be shown",
  });
  byId("make-token").addEventListener("click", async () => {
    const made = await askForToken();
    if (!made) return;
    list.refresh();
    await showToken(made);
  });
  return list;
}
