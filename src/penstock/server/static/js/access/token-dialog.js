// The dialog that makes a token, and the one that shows its text, once.

import { copyBy } from "../copy.js";
import { closed, opened } from "../dialog.js";
import { h, icon } from "../dom.js";
import { answered, field, formEnd, numberIn } from "../form-dialog.js";
import { plural } from "../format.js";
import { addToken } from "./api.js";
import { SCOPES } from "./words.js";

const DAY = 86400;
const LIFETIMES = [["", "Never"], [DAY, "In a day"], [7 * DAY, "In 7 days"], [30 * DAY, "In 30 days"], [90 * DAY, "In 90 days"], [365 * DAY, "In a year"]];
const SCOPES_TICKED = new Set(["read"]);
const MEGABYTE = 1e6;

function scopeOption(scope) {
  const input = h("input", { type: "checkbox", name: "scopes", value: scope, checked: SCOPES_TICKED.has(scope), "aria-describedby": `scope-${scope}` });
  return h("label", { class: "option" }, input, h("span", {}, scope), h("span", { class: "hint", id: `scope-${scope}` }, SCOPES[scope]));
}

const plain = { autocomplete: "off", spellcheck: "false", autocapitalize: "none" };

function form() {
  return h(
    "form",
    { method: "dialog", class: "token-form" },
    h("h2", { id: "token-title" }, "Make a token"),
    field("token-name", "Name", h("input", { type: "text", name: "name", required: true, maxlength: 100, autofocus: true, ...plain }), "Who or what it is for; it stands in the audit log."),
    h("fieldset", { class: "field" }, h("legend", {}, "Good for"), Object.keys(SCOPES).map(scopeOption)),
    field("token-prefix", "Folder", h("input", { type: "text", name: "prefix", placeholder: "photos/2024/", ...plain }), "Outside it nothing is seen or changed. Leave it empty for all files."),
    h(
      "div",
      { class: "pair" },
      field("token-expires", "Expires", h("select", { name: "expires_in" }, LIFETIMES.map(([value, label]) => h("option", { value, selected: value === 90 * DAY }, label)))),
      field("token-requests", "Requests / s", h("input", { type: "number", name: "request_rate", min: "0.1", step: "any", placeholder: "any" })),
      field("token-bytes", "MB / s", h("input", { type: "number", name: "byte_rate", min: "0.001", step: "any", placeholder: "any" })),
    ),
    formEnd(icon("key"), "Make the token"),
  );
}

function wishOf(elements) {
  const prefix = elements.prefix.value.trim();
  const bytes = numberIn(elements.byte_rate);
  return {
    name: elements.name.value.trim(),
    scopes: [...elements.scopes].filter(({ checked }) => checked).map(({ value }) => value),
    prefix: prefix && !prefix.endsWith("/") ? `${prefix}/` : prefix,
    expires_in: numberIn(elements.expires_in),
    request_rate: numberIn(elements.request_rate),
    byte_rate: bytes === null ? null : Math.round(bytes * MEGABYTE),
  };
}

/** Ask what it is to be good for; resolves to the token that was made, or `null`. */
export function askForToken() {
  const asked = form();
  const dialog = opened({ "aria-labelledby": "token-title", class: "token-dialog" }, asked);
  return answered(dialog, asked, (elements) => {
    const wish = wishOf(elements);
    if (!wish.scopes.length) throw new Error("Choose at least one thing that it is good for.");
    return addToken(wish);
  });
}

/** Show the text of a token that was made just now; resolves when the reader is done with it. */
export function showToken({ name, token, scopes }) {
  const text = h("textarea", { class: "token-text", readonly: true, rows: 2, spellcheck: "false", "aria-label": "Token" });
  text.value = token;
  const button = h("button", { type: "button", class: "button primary", autofocus: true }, icon("copy"), "Copy");
  button.addEventListener("click", () => copyBy(button, text));
  const dialog = opened(
    { "aria-labelledby": "made-title", "aria-describedby": "made-text" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "made-title" }, h("bdi", {}, name), " is made"),
      h("p", { id: "made-text" }, `This is its text, good for ${plural(scopes.length, "thing")}: ${scopes.join(", ")}. It is shown now and never again: the server does not keep it.`),
      text,
      h("div", { class: "dialog-actions" }, h("button", { class: "button" }, "Done"), button),
    ),
  );
  text.addEventListener("focus", () => text.select());
  return closed(dialog);
}
