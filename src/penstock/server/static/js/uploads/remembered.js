// Uploads that have begun, kept by the tus client in localStorage so that they outlive the page.

const { urlStorage: library } = window.tus.defaultOptions;
const PREFIX = "tus::";

/** What a file is known by: the same file on its way to the same place, and nothing else. */
export function fingerprintOf({ key, size, modified, replace }) {
  return JSON.stringify([key, size, modified, replace]);
}

/** A fingerprint of ours out of the name of an entry; `null` for what others may keep there. */
function parse(name) {
  try {
    const [key, size, modified, replace] = JSON.parse(name.slice(PREFIX.length, name.lastIndexOf("::")));
    return typeof key === "string" && Number.isFinite(size) ? { key, size, modified, replace } : null;
  } catch {
    return null;
  }
}

/** The library's storage; but one that is full costs the way back after a reload, not the upload. */
export const urlStorage = {
  findAllUploads: () => library.findAllUploads(),
  findUploadsByFingerprint: (fingerprint) => library.findUploadsByFingerprint(fingerprint),
  removeUpload: (name) => library.removeUpload(name),
  async addUpload(fingerprint, upload) {
    try {
      return await library.addUpload(fingerprint, upload);
    } catch {
      return null;
    }
  },
};

/** Everything remembered, the oldest first: `[{key, size, modified, replace, url}]`. */
export async function remembered() {
  const entries = await library.findAllUploads();
  entries.sort((one, other) => Date.parse(one.creationTime) - Date.parse(other.creationTime));
  return entries.flatMap(({ uploadUrl, urlStorageKey }) => {
    const file = uploadUrl && parse(urlStorageKey);
    return file ? [{ ...file, url: uploadUrl }] : [];
  });
}

/** What the library needs to go on with the upload at `url`. */
export async function previousAt(url) {
  const entry = (await library.findAllUploads()).find(({ uploadUrl }) => uploadUrl === url);
  return entry ?? { uploadUrl: url, urlStorageKey: null };
}

export async function forget(url) {
  for (const { uploadUrl, urlStorageKey } of await library.findAllUploads()) {
    if (uploadUrl === url) await library.removeUpload(urlStorageKey);
  }
}
