// One upload by tus-js-client. The only argument is JSON:
//   file, endpoint   what to send, and where
//   options          of the client, as they are
//   storage          file in which the client remembers uploads
//   stream           send the file as a stream of unknown length
//   abortAfter       leave, as a closed page would, once so many bytes are sent
//   resume           go on with the upload that the client remembers
//   terminate        end the upload on the server instead
// Prints JSON: url, error, status of the last answer, how many requests of each method were made.
import fs from "node:fs";
import { Readable } from "node:stream";
import * as tus from "tus-js-client";

const task = JSON.parse(process.argv[2]);
const told = { url: null, error: null, status: null, location: null, requests: {}, resumedAt: null };

function finish(error = null) {
  told.url = upload.url;
  told.error = error && String(error.message);
  process.stdout.write(JSON.stringify(told), () => process.exit(0));
}

const input = task.stream ? Readable.from(pieces(task.file)) : fs.createReadStream(task.file);

async function* pieces(file) {
  for await (const piece of fs.createReadStream(file, { highWaterMark: 100_000 })) yield piece;
}

const upload = new tus.Upload(input, {
  endpoint: task.endpoint,
  retryDelays: [0, 200, 500, 1000, 2000, 4000],
  ...task.options,
  ...(task.storage && { urlStorage: new tus.FileUrlStorage(task.storage), storeFingerprintForResuming: true }),
  onBeforeRequest(request) {
    const method = request.getMethod();
    told.requests[method] = (told.requests[method] ?? 0) + 1;
  },
  onAfterResponse(request, response) {
    told.status = response.getStatus();
    told.location = response.getHeader("Content-Location") ?? told.location;
    if (request.getMethod() === "HEAD") told.resumedAt = Number(response.getHeader("Upload-Offset"));
  },
  onProgress(sent) {
    if (task.abortAfter && sent >= task.abortAfter) {
      delete task.abortAfter;
      upload.abort().then(() => finish());
    }
  },
  onError: finish,
  onSuccess: () => finish(),
});

if (task.resume) {
  const [previous] = await upload.findPreviousUploads();
  if (previous) upload.resumeFromPreviousUpload(previous);
}
if (task.terminate) await tus.Upload.terminate(task.terminate, upload.options).then(() => finish(), finish);
else upload.start();
