// The name and version of the server, at the foot of a page.

import { serverInfo } from "./api.js";
import { byId, setText } from "./dom.js";

export async function showServer() {
  try {
    setText(byId("server-name"), `Penstock ${(await serverInfo()).version}`);
  } catch { /* the page itself already says so if the server is gone */ }
}
