// One file to the server as the raw body of a PUT: the browser reads it from disk as it goes.

import { Problem, problemFrom } from "../api.js";
import { fileUrl } from "../keys.js";

const LOST = "The connection was lost before the server had it all. Nothing was stored. Try again.";
const CHANGED = "The server stored another number of bytes than this file has: it changed meanwhile. Try again.";

/**
 * Start sending. `replace` allows an existing file to be replaced; `onProgress(bytes)` is called as
 * bytes leave. Answers `{done, cancel}`; `done` resolves to the FileInfo or rejects with a Problem.
 */
export function send({ key, file, replace }, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("PUT", fileUrl(key));
    if (!replace) request.setRequestHeader("If-None-Match", "*");
    request.upload.onprogress = (event) => onProgress(Math.min(event.loaded, file.size));
    request.onload = () => {
      const { status, responseText } = request;
      if (status !== 200 && status !== 201) reject(problemFrom(status, responseText, request.getResponseHeader("Retry-After")));
      else if (JSON.parse(responseText).size !== file.size) reject(new Problem({ code: "changed", detail: CHANGED }));
      else resolve(JSON.parse(responseText));
    };
    request.onerror = () => reject(new Problem({ code: "lost", detail: LOST }));
    request.onabort = () => reject(new Problem({ code: "cancelled", detail: "Cancelled." }));
    request.send(file);
  });
  return { done, cancel: () => request.abort() };
}
