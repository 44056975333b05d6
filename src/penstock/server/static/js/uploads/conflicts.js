// Which of the keys about to be written are taken already.

import { filesBelow, isStored, list } from "../api.js";

const ASK_ONE_BY_ONE = 20;

/** Of files that go straight into `folder`. */
async function takenHere(folder, keys) {
  if (keys.length <= ASK_ONE_BY_ONE) {
    const answers = await Promise.all(keys.map(isStored));
    return keys.filter((_, index) => answers[index]);
  }
  const stored = new Set();
  let after = "";
  do {
    const page = await list(folder, { after });
    for (const file of page.files) stored.add(file.key);
    after = page.next;
  } while (after);
  return keys.filter((key) => stored.has(key));
}

/** Of files that go into folders below: one listing for each of those. */
async function takenBelow(prefix, keys) {
  const wanted = new Set(keys);
  const taken = [];
  for await (const files of filesBelow(prefix)) {
    taken.push(...files.map((file) => file.key).filter((key) => wanted.has(key)));
  }
  return taken;
}

/** The keys among `keys`, all below `folder`, under which a file is stored. */
export async function takenKeys(folder, keys) {
  const groups = new Map();
  for (const key of keys) {
    const slash = key.indexOf("/", folder.length);
    const group = slash < 0 ? "" : key.slice(0, slash + 1);
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(key);
  }
  const taken = [];
  for (const [prefix, members] of groups) {
    taken.push(...(prefix ? await takenBelow(prefix, members) : await takenHere(folder, members)));
  }
  return new Set(taken);
}
