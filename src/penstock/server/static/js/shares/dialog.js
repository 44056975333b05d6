// Making a link for who has no login: to fetch something by, or to put files by.

import { call } from "../api.js";
import { copyBy } from "../copy.js";
import { closed, opened } from "../dialog.js";
import { h, icon } from "../dom.js";
import { answered, field, formEnd, numberIn } from "../form-dialog.js";
import { facts, moment, plural } from "../format.js";
import { nameOf } from "../keys.js";

const HOUR = 3600;
const DAY = 24 * HOUR;
const LIFETIMES = [[HOUR, "In an hour"], [DAY, "In a day"], [7 * DAY, "In 7 days"], [30 * DAY, "In 30 days"], [365 * DAY, "In a year"], ["", "Never"]];
const DEFAULT = 7 * DAY;
const GIGABYTE = 1e9;

function lifetime() {
  return h("select", { name: "expires_in", autofocus: true }, LIFETIMES.map(([value, label]) => h("option", { value, selected: value === DEFAULT }, label)));
}

function amount(name) {
  return h("input", { type: "number", name, min: 1, step: 1, placeholder: "any", inputmode: "numeric" });
}

function password() {
  return field(
    "share-password",
    "Password",
    h("input", { type: "text", name: "password", maxlength: 200, placeholder: "none", autocomplete: "off", spellcheck: "false", autocapitalize: "none" }),
    "Tell it in another way than the link.",
  );
}

/** Ask with these fields; resolves to the share that `wishOf(elements)` became, or `null`. */
function made({ title, text, fields, wishOf }) {
  const form = h(
    "form",
    { method: "dialog", class: "share-form" },
    h("h2", { id: "share-title" }, title),
    h("p", { id: "share-text" }, text),
    fields,
    formEnd(icon("link"), "Make the link"),
  );
  const dialog = opened({ "aria-labelledby": "share-title", "aria-describedby": "share-text" }, form);
  return answered(dialog, form, (elements) => post(wishOf(elements)));
}

async function post(wish) {
  const headers = { "Content-Type": "application/json" };
  return (await call("/v1/shares", { method: "POST", headers, body: JSON.stringify(wish) })).json();
}

function common({ expires_in: expires, password: secret, most }) {
  return { expires_in: numberIn(expires), most: numberIn(most), password: secret.value || null };
}

function terms({ kind, expires, most, has_password: hasPassword }) {
  return facts(
    expires ? `until ${moment(expires)}` : "until you end it",
    most && plural(most, kind === "upload" ? "file" : "download"),
    hasPassword && "with a password",
  );
}

/** Show the link of a share; resolves when the reader is done with it. */
function showLink(share) {
  const link = h("input", { type: "text", readonly: true, id: "share-url", "aria-label": "Link" });
  link.value = share.url;
  link.addEventListener("focus", () => link.select());
  const copy = h("button", { type: "button", class: "button primary", autofocus: true }, icon("copy"), "Copy");
  copy.addEventListener("click", () => copyBy(copy, link));
  const dialog = opened(
    { "aria-labelledby": "shared-title", "aria-describedby": "shared-text" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "shared-title" }, h("bdi", {}, share.title)),
      h("p", { id: "shared-text" }, `Whoever has this link may use it: ${terms(share)}.`),
      h("div", { class: "share-link" }, link, copy),
      h("div", { class: "dialog-actions" }, h("button", { class: "button" }, "Done")),
    ),
  );
  return closed(dialog);
}

/** Make a link to fetch `keys` and `folders` (prefixes) of the folder `prefix` by. */
export async function shareFiles({ prefix, folders, keys }) {
  const only = folders.length + keys.length === 1 ? nameOf([...folders, ...keys][0]) : null;
  const isFile = folders.length === 0 && keys.length === 1;
  const name = isFile || only ? null : `${prefix ? nameOf(prefix) : "files"}.zip`;
  const share = await made({
    title: only ? `Share “${only}”` : `Share ${plural(folders.length + keys.length, "item")}`,
    text: isFile ? "Whoever has the link can download the file, without a login." : "Whoever has the link can download this as a ZIP, without a login. It is made of what is there at that time.",
    fields: [
      h("div", { class: "row" }, field("share-expires", "Expires", lifetime()), field("share-most", "Downloads", amount("most"))),
      password(),
    ],
    wishOf: (elements) => ({ kind: "download", keys, prefixes: folders, name, ...common(elements) }),
  });
  if (share) await showLink(share);
}

/** Make a link to put files into the folder `prefix` by. */
export async function askForFiles(prefix) {
  const share = await made({
    title: "Ask for files",
    text: `Whoever has the link can put files into ${prefix ? `“${nameOf(prefix)}”` : "the store"}, and sees and replaces none.`,
    fields: [
      field("share-name", "What for", h("input", { type: "text", name: "title", maxlength: 200, autocomplete: "off", placeholder: "Photos of the wedding" }), "Stands above the page that they see."),
      h(
        "div",
        { class: "row" },
        field("share-expires", "Expires", lifetime()),
        field("share-most", "Files", amount("most")),
        field("share-largest", "Largest, in GB", h("input", { type: "number", name: "largest", min: "0.001", step: "any", placeholder: "any", inputmode: "decimal" })),
      ),
      password(),
    ],
    wishOf: (elements) => {
      const largest = numberIn(elements.largest);
      return { kind: "upload", prefix, title: elements.title.value.trim() || null, most_bytes: largest === null ? null : Math.round(largest * GIGABYTE), ...common(elements) };
    },
  });
  if (share) await showLink(share);
}
