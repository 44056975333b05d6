// Files out of a drop or a file input, with their paths: `{file, path}`.

/** A chosen folder's files carry their path; single files have only a name. */
export function fromInput(input) {
  return [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

function readSome(reader) {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

async function* walk(entry, path) {
  if (entry.isFile) {
    yield { file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path };
    return;
  }
  const reader = entry.createReader();
  for (let some = await readSome(reader); some.length; some = await readSome(reader)) {
    for (const child of some) yield* walk(child, `${path}/${child.name}`);
  }
}

/** What was dropped, folders walked to the bottom. Must be called while the event is handled. */
export function fromDrop(transfer) {
  const entries = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...transfer.files].map((file) => ({ file, path: file.name }));
  return entries.some(Boolean) ? collect(entries) : Promise.resolve(plain);
}

async function collect(entries) {
  const found = [];
  for (const entry of entries.filter(Boolean)) {
    for await (const item of walk(entry, entry.name)) found.push(item);
  }
  return found;
}
