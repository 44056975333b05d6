// The dialog that makes a token, and the one that shows its text, once.

import { copyBy } from "../copy.js";
import { h, icon } from "../dom.js";
import { plural } from "../format.js";
import { addToken } from "./api.js";
import { SCOPES } from "./words.js";

const DAY = 86400;
const LIFETIMES = [["", "Never"], [DAY, "In a day"], [7 * DAY, "In 7 days"], [30 * DAY, "In 30 days"], [90 * DAY, "In 90 days"], [365 * DAY, "In a year"]];
const SCOPES_TICKED = new Set(["read"]);
const MEGABYTE = 1e6;

function field(id, label, input, hint = null) {
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  input.id = id;
  return h("div", { class: "field" }, h("label", { for: id }, label), input, hint && h("p", { class: "hint", id: `${id}-hint` }, hint));
}

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
    h("p", { class: "trouble", role: "alert" }),
    h(
      "div",
      { class: "dialog-actions" },
      h("button", { type: "button", class: "button", value: "cancel" }, "Cancel"),
      h("button", { type: "submit", class: "button primary" }, icon("key"), "Make the token"),
    ),
  );
}

function wishOf({ elements }) {
  const prefix = elements.prefix.value.trim();
  const number = (name) => (elements[name].value === "" ? null : Number(elements[name].value));
  const bytes = number("byte_rate");
  return {
    name: elements.name.value.trim(),
    scopes: [...elements.scopes].filter(({ checked }) => checked).map(({ value }) => value),
    prefix: prefix && !prefix.endsWith("/") ? `${prefix}/` : prefix,
    expires_in: number("expires_in"),
    request_rate: number("request_rate"),
    byte_rate: bytes === null ? null : Math.round(bytes * MEGABYTE),
  };
}

function opened(attributes, content) {
  const dialog = h("dialog", attributes, content);
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

/** Ask what it is to be good for; resolves to the token that was made, or `null`. */
export function askForToken() {
  const asked = form();
  const dialog = opened({ "aria-labelledby": "token-title", class: "token-dialog" }, asked);
  const trouble = asked.querySelector(".trouble");
  const submit = asked.querySelector("[type=submit]");
  asked.querySelector("[value=cancel]").addEventListener("click", () => dialog.close());
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(null));
    asked.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (submit.getAttribute("aria-busy")) return;
      const wish = wishOf(asked);
      trouble.textContent = wish.scopes.length ? "" : "Choose at least one thing that it is good for.";
      if (!wish.scopes.length) return;
      submit.setAttribute("aria-busy", "true");
      try {
        resolve(await addToken(wish));
        dialog.close();
      } catch (error) {
        trouble.textContent = error.detail ?? error.message;
      } finally {
        submit.removeAttribute("aria-busy");
      }
    });
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
  return new Promise((resolve) => { dialog.addEventListener("close", resolve); });
}
