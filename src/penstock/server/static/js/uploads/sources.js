// Where files come from: the two buttons, and dropping anywhere on the page.

import { byId } from "../dom.js";
import { notify, notifyProblem } from "../notices.js";
import { allows } from "../session.js";
import { fromDrop, fromInput } from "./entries.js";

function startButton(buttonId, inputId, take) {
  const input = byId(inputId);
  byId(buttonId).addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const found = fromInput(input);
    input.value = "";
    if (found.length) take(found);
  });
}

async function dropped(transfer, take) {
  const reading = fromDrop(transfer);
  const dismiss = notify("Reading what was dropped", { stays: true });
  try {
    take(await reading);
  } catch (error) {
    notifyProblem("Not everything that was dropped can be read", error);
  } finally {
    dismiss();
  }
}

function startDrop(take) {
  let depth = 0;
  const show = (change) => {
    depth = Math.max(0, depth + change);
    byId("drop").hidden = depth === 0;
  };
  const listen = (type, act) =>
    document.addEventListener(type, (event) => {
      if (!event.dataTransfer?.types.includes("Files") || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      act(event);
    });
  listen("dragenter", () => show(1));
  listen("dragleave", () => show(-1));
  listen("dragover", (event) => { event.dataTransfer.dropEffect = "copy"; });
  listen("drop", (event) => {
    show(-depth);
    dropped(event.dataTransfer, take);
  });
}

/** Call `take([{file, path}])` for whatever the reader adds. */
export function startSources(take) {
  byId("read-only").hidden = allows("write");
  for (const id of ["add-files", "add-folder", "ask-files"]) byId(id).hidden = !allows("write");
  if (!allows("write")) {
    document.querySelector(".bar-hint").hidden = true;
    return;
  }
  startTaking(take);
}

/** The same on a page for nothing else. */
export function startTaking(take) {
  startButton("add-files", "pick-files", take);
  startButton("add-folder", "pick-folder", take);
  byId("add-folder").hidden = !("webkitdirectory" in byId("pick-folder"));
  startDrop(take);
}
