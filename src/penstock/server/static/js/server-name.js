// The name and version of the server, at the foot of a page.

import { serverInfo } from "./api.js";
import { byId, setText } from "./dom.js";

/** Show them; answers all that the server says of itself, or `null`. */
export async function showServer() {
  try {
    const server = await serverInfo();
    setText(byId("server-name"), `Penstock ${server.version}`);
    return server;
  } catch {
    return null; // the page itself already says so if the server is gone
  }
}
