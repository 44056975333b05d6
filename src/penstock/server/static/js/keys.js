// Keys: UTF-8 paths such as `photos/2024/a b.jpg`. A folder is a prefix that ends in `/`.

/** The key as it stands in a URL path: every segment percent-encoded, `/` kept. */
function encodeKey(key) {
  return key.split("/").map(encodeURIComponent).join("/");
}

export function fileUrl(key) {
  return `/v1/files/${encodeKey(key)}`;
}

/** The last segment of a key or a folder; the folder of all has no name of its own. */
export function nameOf(key) {
  const path = key.endsWith("/") ? key.slice(0, -1) : key;
  return path.slice(path.lastIndexOf("/") + 1) || (key ? "(no name)" : "All files");
}

/** `photos/2024/` → `["photos/", "photos/2024/"]`. */
export function trail(prefix) {
  const segments = prefix.split("/").slice(0, -1);
  return segments.map((_, index) => `${segments.slice(0, index + 1).join("/")}/`);
}

/** The page that shows a folder. */
export function folderUrl(prefix) {
  return prefix ? `/?prefix=${encodeURIComponent(prefix).replaceAll("%2F", "/")}` : "/";
}
