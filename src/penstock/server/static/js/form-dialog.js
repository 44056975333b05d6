// Dialogs with a form in them, which is sent to the server before they close.

import { h } from "./dom.js";

/** An input with its label above it and a hint below. */
export function field(id, label, input, hint = null) {
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  input.id = id;
  return h("div", { class: "field" }, h("label", { for: id }, label), input, hint && h("p", { class: "hint", id: `${id}-hint` }, hint));
}

/** What stands at the end of such a form: the place for what is wrong, and its buttons. */
export function formEnd(...submit) {
  return [
    h("p", { class: "trouble", role: "alert" }),
    h(
      "div",
      { class: "dialog-actions" },
      h("button", { type: "button", class: "button", value: "cancel" }, "Cancel"),
      h("button", { type: "submit", class: "button primary" }, submit),
    ),
  ];
}

/** A number that was typed, or `null`. */
export function numberIn({ value }) {
  return value === "" ? null : Number(value);
}

/**
 * Resolves to what `send(elements)` answered, or to `null` when the form is put away. Where it fails, the form says so
 * and stays.
 */
export function answered(dialog, form, send) {
  const submit = form.querySelector("[type=submit]");
  const trouble = form.querySelector(".trouble");
  form.querySelector("[value=cancel]").addEventListener("click", () => dialog.close());
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(null));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (submit.getAttribute("aria-busy")) return;
      submit.setAttribute("aria-busy", "true");
      trouble.textContent = "";
      try {
        resolve(await send(form.elements));
        dialog.close();
      } catch (error) {
        trouble.textContent = error.detail ?? error.message;
      } finally {
        submit.removeAttribute("aria-busy");
      }
    });
  });
}
