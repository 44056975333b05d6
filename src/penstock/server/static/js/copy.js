// Into the clipboard.

import { announce } from "./announce.js";

/** Copy the text of an element; where the browser does not let us (no HTTPS), it is selected, ready for Ctrl-C. Answers whether it was copied. */
export async function copy(element) {
  const text = element.value ?? element.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (element.select) element.select();
    else getSelection().selectAllChildren(element);
    announce("Selected: press Ctrl C to copy.");
    return false;
  }
  announce("Copied.");
  return true;
}

/** A button says for a moment that it has copied. */
export async function copyBy(button, element) {
  const label = button.lastChild;
  const before = label.data;
  label.data = (await copy(element)) ? "Copied" : "Selected";
  setTimeout(() => { label.data = before; }, 2000);
}
