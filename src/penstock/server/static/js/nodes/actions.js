// What can be done with a node, each after a question if it cannot be taken back at once.

import { announce } from "../announce.js";
import { ask } from "../dialog.js";
import { plural } from "../format.js";
import { notify, notifyProblem } from "../notices.js";
import { drain, remove, scrub } from "./api.js";

async function askToDrain(node) {
  const answer = await ask({
    title: `Empty ${node.address}?`,
    text: `It is given no more parts, and ${plural(node.parts, "part")} on it ${node.parts === 1 ? "is" : "are"} moved to other nodes. It can be taken back at any time.`,
    choices: [
      { value: "", label: "Leave it" },
      { value: "drain", label: "Drain the node", style: "primary" },
    ],
  });
  return answer === "drain";
}

async function askToRemove(node) {
  const answer = await ask({
    title: `Remove ${node.address}?`,
    text: "The cluster forgets it. Files are not touched: a node that still has parts which are needed is not removed.",
    items: [node.id],
    choices: [
      { value: "", label: "Keep" },
      { value: "remove", label: "Remove the node", style: "danger solid" },
    ],
  });
  return answer === "remove";
}

/** The server refused, since parts would have too few copies, or none. */
async function askToForce(node, detail) {
  const answer = await ask({
    title: `Remove ${node.address} for good?`,
    text: `${detail} Only if its disk is lost for ever: what no other node has is lost then.`,
    choices: [
      { value: "", label: "Keep" },
      { value: "force", label: "Remove it all the same", style: "danger solid" },
    ],
  });
  return answer === "force";
}

async function removeNode(node) {
  if (!(await askToRemove(node))) return false;
  try {
    await remove(node.id);
  } catch (error) {
    if (!error.parts || node.state !== "dead") throw error;
    if (!(await askToForce(node, error.detail))) return false;
    await remove(node.id, { force: true });
  }
  notify(`${node.address} is removed`);
  return true;
}

async function drainNode(node) {
  if (!(await askToDrain(node))) return false;
  await drain(node.id, true);
  announce(`${node.address} is being emptied.`);
  return true;
}

async function undrainNode(node) {
  await drain(node.id, false);
  announce(`${node.address} takes parts again.`);
  return true;
}

async function scrubNode(node) {
  await scrub(node.id);
  notify(`${node.address} is read and verified now`);
  return true;
}

const DRAIN = { name: "drain", label: "Drain", failure: "The node could not be drained", act: drainNode };
const UNDRAIN = { name: "undrain", label: "Stop draining", failure: "The node could not be taken back", act: undrainNode };
const SCRUB = { name: "scrub", label: "Scrub", failure: "The node could not be scrubbed", act: scrubNode };
const REMOVE = { name: "remove", label: "Remove", style: "danger", failure: "The node could not be removed", act: removeNode };

/** What makes sense for a node as it is now. */
export function possible(node) {
  const actions = [node.draining ? UNDRAIN : DRAIN];
  if (node.state !== "dead") actions.push(SCRUB);
  return [...actions, REMOVE];
}

/** Do it; answers whether anything may have changed. */
export async function perform(action, node) {
  try {
    return await action.act(node);
  } catch (error) {
    notifyProblem(action.failure, error);
    return true;
  }
}
