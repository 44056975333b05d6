// Deleting what is selected, after asking.

import { filesBelow, remove } from "../api.js";
import { ask } from "../dialog.js";
import { count, plural } from "../format.js";
import { nameOf } from "../keys.js";
import { notify, notifyProblem } from "../notices.js";

const AT_ONCE = 4;

/** Every key to delete: the files named, and all below the folders. */
async function keysOf({ folders, keys }) {
  const all = [...keys];
  for (const folder of folders) {
    for await (const files of filesBelow(folder)) all.push(...files.map((file) => file.key));
  }
  return all;
}

async function removeAll(keys, onProgress) {
  const waiting = [...keys];
  let done = 0;
  const work = async () => {
    while (waiting.length) {
      await remove(waiting.pop());
      onProgress((done += 1));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function question({ folders, keys }, total) {
  const [only] = folders.length + keys.length === 1 ? [...folders, ...keys] : [];
  return {
    title: only ? `Delete “${nameOf(only)}”?` : `Delete ${plural(total, "file")}?`,
    text: folders.length
      ? `${plural(total, "file")} will be deleted, with everything in the folders. This cannot be undone.`
      : "This cannot be undone.",
    items: only ? [] : [...folders, ...keys].map((id) => (id.endsWith("/") ? `${nameOf(id)}/` : nameOf(id))),
    choices: [
      { value: "", label: "Keep" },
      { value: "delete", label: `Delete ${plural(total, "file")}`, style: "danger solid" },
    ],
  };
}

/** Ask, then delete; answers whether anything may have changed. */
export async function removeSelected(selected, button) {
  try {
    const keys = await keysOf(selected);
    if ((await ask(question(selected, keys.length))) !== "delete") return false;
    await removeAll(keys, (done) => button.setAttribute("title", `${count(done)} of ${count(keys.length)}`));
    notify(`${plural(keys.length, "file")} deleted`);
  } catch (error) {
    notifyProblem("Not everything could be deleted", error);
  } finally {
    button.removeAttribute("title");
  }
  return true;
}
