// Questions that need an answer before anything happens.

import { h } from "./dom.js";

const LISTED = 8;

function summary(items) {
  const rows = items.slice(0, LISTED).map((item) => h("li", {}, h("bdi", {}, item)));
  if (items.length > LISTED) rows.push(h("li", {}, `and ${items.length - LISTED} more`));
  return h("ul", { class: "dialog-list", tabindex: "0", "aria-label": "Concerned" }, rows);
}

/** A dialog with this content, which is shown at once and taken away when it is closed. */
export function opened(attributes, content) {
  const dialog = h("dialog", attributes, content);
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

/** Resolves to the value of the button that closed it, or `""`. */
export function closed(dialog) {
  return new Promise((resolve) => { dialog.addEventListener("close", () => resolve(dialog.returnValue)); });
}

/**
 * Ask; resolves to the `value` of the chosen button, or `""` when the question is put away.
 * `choices`: `[{value, label, style}]`, the first of which is focused.
 */
export function ask({ title, text, items = [], choices }) {
  const buttons = choices.map(({ value, label, style = "" }, index) =>
    h("button", { value, class: `button ${style}`, autofocus: index === 0 }, label));
  const dialog = opened(
    { "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      h("p", { id: "dialog-text" }, text),
      items.length > 0 && summary(items),
      h("div", { class: "dialog-actions" }, buttons),
    ),
  );
  return closed(dialog);
}
