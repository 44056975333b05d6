// Uploads a file with tus-js-client in a version of the IETF draft; prints the requests it made.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, endpoint, file, options] = process.argv.slice(2);
const { Upload } = createRequire(`${modules}/`)("tus-js-client");
const requests = [];

// Not a stream of the file: of that, version 4 never says that a later part is the last.
new Upload(readFileSync(file), {
  endpoint,
  retryDelays: [0, 100, 500, 1000],
  onAfterResponse: (request, response) => {
    requests.push([request.getMethod(), response.getStatus()]);
  },
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess: () => console.log(JSON.stringify(requests)),
  ...JSON.parse(options),
}).start();
