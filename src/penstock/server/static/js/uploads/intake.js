// From what was dropped or chosen to uploads in the queue: name it, ask before replacing, queue it.

import { announce } from "../announce.js";
import { ask } from "../dialog.js";
import { bytes, plural } from "../format.js";
import { notify, notifyProblem } from "../notices.js";
import { takenKeys } from "./conflicts.js";

function askToReplace(folder, taken, total) {
  const names = [...taken].map((key) => key.slice(folder.length));
  const others = total - taken.size;
  const choices = [
    { value: "", label: "Cancel" },
    { value: "replace", label: taken.size === 1 ? "Replace it" : "Replace them", style: "primary" },
  ];
  if (others > 0) choices.splice(1, 0, { value: "skip", label: others === 1 ? "Only the new one" : `Only the ${plural(others, "new one")}` });
  return ask({
    title: `Replace ${plural(taken.size, "existing file")}?`,
    text: taken.size === 1 ? "A file of this name is stored here already." : "Files of these names are stored here already.",
    items: names,
    choices,
  });
}

/** Queue `found` (`[{file, path}]`) into `folder` (a prefix). */
export async function takeIn(queue, folder, found) {
  if (found.length === 0) return notify("There was no file in what was added");
  let items = found.map(({ file, path }) => ({ file, key: folder + path, replace: false }));
  try {
    const taken = await takenKeys(folder, items.map(({ key }) => key));
    if (taken.size) {
      const answer = await askToReplace(folder, taken, items.length);
      if (!answer) return undefined;
      if (answer === "skip") items = items.filter(({ key }) => !taken.has(key));
      for (const item of items) item.replace = taken.has(item.key);
    }
  } catch (error) {
    return notifyProblem("The upload could not begin", error);
  }
  const size = items.reduce((sum, { file }) => sum + file.size, 0);
  announce(`Uploading ${plural(items.length, "file")}, ${bytes(size)}.`);
  return queue.add(items);
}
