// A server of ZIPs as a Node programmer would write it with archiver.
//
//   GET /zip?prefix=P/   all files below P as one ZIP, made while it is sent; stored, or with
//                        &compress=deflate deflated at level 6
//   POST /zip            {"urls": [{"url": …, "name": …}, …]} as one ZIP, stored
import { once } from "node:events";
import http from "node:http";
import path from "node:path";
import { json } from "node:stream/consumers";
import { ZipArchive } from "archiver";

const [root, port] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true });

http
  .createServer(async (request, response) => {
    const query = new URL(request.url, "http://bench").searchParams;
    const deflate = query.get("compress") === "deflate";
    const archive = new ZipArchive(deflate ? { zlib: { level: 6 } } : { store: true });
    const abort = (error) => {
      console.error(error);
      response.destroy();
    };
    archive.on("error", abort).on("warning", abort);
    response.setHeader("Content-Type", "application/zip");
    archive.pipe(response);
    try {
      if (request.method === "POST") {
        await addUrls(archive, (await json(request)).urls);
      } else {
        const folder = path.join("/", query.get("prefix"));
        archive.directory(path.join(root, folder), path.basename(folder));
      }
      await archive.finalize();
    } catch (error) {
      abort(error);
    }
  })
  .listen(Number(port), "127.0.0.1");

// One after the other, so that no more than one answer waits.
async function addUrls(archive, urls) {
  for (const { url, name } of urls) {
    const added = once(archive, "entry");
    archive.append(await open(url), { name });
    await added;
  }
}

async function open(url) {
  const [answer] = await once(http.get(url, { agent }), "response");
  if (answer.statusCode !== 200) throw new Error(`${url}: ${answer.statusCode}`);
  return answer;
}
