// What an earlier visit left unfinished: a page that is loaded again has lost its files, so each must be chosen again.

import { announce } from "../announce.js";
import { endOf, openUpload } from "../api.js";
import { h } from "../dom.js";
import { bytes, moment, plural } from "../format.js";
import { nameOf } from "../keys.js";
import { notify, notifyProblem } from "../notices.js";
import { forget, remembered } from "./remembered.js";

/** Seconds until another look at an upload on which bytes still arrive: from before the reload, or from another tab. */
const LOOKS = [1, 2, 4, 8, 16, 32];

function pause(seconds) {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** What the server says of it; a server that cannot say is asked when the file is there. */
async function look({ key, url, size }) {
  try {
    return await openUpload(key, url);
  } catch {
    return { offset: 0, length: size, active: false };
  }
}

/** Forget one that has ended, and say so if it did not end well. */
async function bury({ key, url }) {
  await forget(url);
  try {
    await endOf(url);
  } catch (error) {
    const gone = error.status === 404 || error.status === 410;
    const detail = gone ? "The server has given up what had arrived of it. Add the file again." : error.detail;
    notifyProblem(`${nameOf(key)} was not stored`, { detail });
  }
}

/** Show in `queue` what was left unfinished, as far as the server still has it and `isMine(it)`. */
export async function recall(queue, isMine = () => true) {
  let left = (await remembered()).filter(isMine);
  for (const seconds of LOOKS) {
    const found = await Promise.all(left.map(look));
    const ended = left.filter((_, index) => found[index] === null);
    const stopped = left.flatMap((one, index) => (found[index]?.active === false ? [{ ...one, sent: found[index].offset }] : []));
    queue.restore(stopped);
    if (stopped.length) announce(`${plural(stopped.length, "upload was", "uploads were")} interrupted. Choose the files again to go on.`);
    for (const one of ended) await bury(one);
    left = left.filter((_, index) => found[index]?.active);
    if (left.length === 0) return;
    await pause(seconds);
  }
}

function otherFile(upload) {
  const wanted = `It has ${bytes(upload.size)} and was changed last on ${moment(upload.modified)}.`;
  notify(`This is not the ${nameOf(upload.key)} that was interrupted`, { bad: true, body: h("p", {}, wanted) });
}

/** Ask for the file of an interrupted upload, and go on if it is the same. */
export function chooseAgain(queue, upload) {
  const input = h("input", { type: "file" });
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (!file || upload.state !== "interrupted") return;
    if (upload.isOf(file)) queue.goOn(upload, file);
    else otherFile(upload);
  });
  input.click();
}
