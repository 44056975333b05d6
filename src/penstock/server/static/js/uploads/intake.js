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

/** Each file with its key, and with the upload it goes on with if it had been on its way there before. */
function named(queue, folder, found) {
  const stopped = queue.resumable;
  return found.map(({ file, path }) => {
    const key = folder + path;
    return { file, key, replace: false, resumes: stopped.find((upload) => upload.key === key && upload.isOf(file)) };
  });
}

/** What began so as not to replace anything cannot be gone on with to replace something. */
function replaceWith(queue, item) {
  if (item.resumes) queue.discard(item.resumes);
  Object.assign(item, { replace: true, resumes: undefined });
}

/** Queue `found` (`[{file, path}]`) into `folder` (a prefix). */
export async function takeIn(queue, folder, found) {
  if (found.length === 0) return notify("There was no file in what was added");
  let items = named(queue, folder, found);
  // What has been answered when it began is not asked again.
  const open = items.filter(({ resumes }) => !resumes?.replace);
  try {
    const taken = await takenKeys(folder, open.map(({ key }) => key));
    if (taken.size) {
      const answer = await askToReplace(folder, taken, items.length);
      if (!answer) return undefined;
      if (answer === "skip") items = items.filter(({ key }) => !taken.has(key));
      for (const item of items) if (taken.has(item.key)) replaceWith(queue, item);
    }
  } catch (error) {
    return notifyProblem("The upload could not begin", error);
  }
  const size = items.reduce((sum, { file }) => sum + file.size, 0);
  announce(`Uploading ${plural(items.length, "file")}, ${bytes(size)}.`);
  return queue.add(items);
}
