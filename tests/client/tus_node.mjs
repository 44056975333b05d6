// @tus/server where Penstock's clients look for one: arguments are a folder and a port.
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const [directory, port] = process.argv.slice(2);
const options = { host: "127.0.0.1", port: Number(port) };

new Server({ path: "/v1/uploads", datastore: new FileStore({ directory }) }).listen(options, () =>
  console.log("listening"),
);
