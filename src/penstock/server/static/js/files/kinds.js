// Which picture stands for a file: by media type, else by the end of its name.

const BY_TYPE = [
  [/^image\//, "image"],
  [/^video\//, "video"],
  [/^audio\//, "audio"],
  [/zip|compressed|x-tar|zstd|gzip|x-7z|x-xz|x-bzip/, "archive"],
  [/^text\/|json|xml|pdf|document|yaml/, "text"],
];
const BY_NAME = [
  [/\.(zip|tar|t?gz|zst|xz|7z|bz2|rar|iso)$/i, "archive"],
  [/\.(mp4|mkv|mov|webm|avi)$/i, "video"],
  [/\.(flac|mp3|wav|ogg|opus|m4a)$/i, "audio"],
  [/\.(jpe?g|png|gif|webp|avif|heic|tiff?|svg)$/i, "image"],
  [/\.(md|txt|csv|log|json|ya?ml|toml|xml|pdf|docx?|odt|py|js|ts|go|rs|c|h)$/i, "text"],
];

/** The name of the icon for a FileInfo. */
export function kindOf({ key, content_type: type }) {
  const found = BY_TYPE.find(([pattern]) => pattern.test(type ?? "")) ?? BY_NAME.find(([pattern]) => pattern.test(key));
  return found ? found[1] : "file";
}
