// @tus/server as its README starts it.
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const [root, port] = process.argv.slice(2);

new Server({ path: "/files", datastore: new FileStore({ directory: root }) }).listen({
  host: "127.0.0.1",
  port: Number(port),
});
