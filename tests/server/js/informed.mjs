// Puts a file with Node's own client and prints what it was told on the way, and in the end.
import { createReadStream, statSync } from "node:fs";
import { request } from "node:http";

const [url, file] = process.argv.slice(2);
const headers = {
  "Content-Length": statSync(file).size,
  "Upload-Complete": "?1",
  "Upload-Draft-Interop-Version": "8",
};
const interim = [];

const upload = request(url, { method: "PUT", headers }, (response) => {
  response.resume();
  response.on("end", () => {
    const { statusCode, headers } = response;
    console.log(JSON.stringify({ interim, final: { statusCode, headers } }));
  });
});
upload.on("information", ({ statusCode, headers }) => interim.push({ statusCode, headers }));
createReadStream(file).pipe(upload);
