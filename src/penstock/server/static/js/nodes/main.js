// The page of storage nodes: asks every two seconds how they stand.

import { announce } from "../announce.js";
import { copyBy } from "../copy.js";
import { byId, h, reconcile, setText } from "../dom.js";
import { bytes, count, plural } from "../format.js";
import { poll } from "../poll.js";
import { showServer } from "../server-name.js";
import { perform } from "./actions.js";
import { getCluster } from "./api.js";
import { nodeCard } from "./card.js";

const PAUSE_MS = 2000;
const cards = new Map();
let known = false;
let states = new Map();

function tile(name, value, kind = "") {
  return h("div", { class: kind, "data-name": name }, h("dt", {}, name), h("dd", {}, value));
}

function drawTiles({ nodes, live, min_nodes: least, replicas, removing, upkeep }) {
  const sum = (name) => nodes.reduce((total, node) => total + node[name], 0);
  const { short = 0, lost = 0 } = upkeep;
  const tiles = [
    tile("Live nodes", `${count(live)} of ${count(nodes.length)}`, live < least ? "bad" : ""),
    tile("Copies of each part", count(replicas)),
    tile("Stored, with copies", bytes(sum("used"))),
    tile("Free", bytes(sum("free"))),
    tile("Parts with too few copies", count(short), short ? "bad" : ""),
    tile("To be removed", plural(removing, "file")),
  ];
  byId("tiles").replaceChildren(...tiles);
  const troubles = [
    live < least && `Nothing is stored while fewer than ${plural(least, "node")} ${least === 1 ? "is" : "are"} live. What is there can be read.`,
    lost > 0 && `Of ${plural(lost, "part")} no copy can be found. Bring back the nodes that had them.`,
  ].filter(Boolean);
  setText(byId("cluster-trouble"), troubles.join(" "));
  byId("cluster-trouble").hidden = troubles.length === 0;
}

async function press(action, node, button) {
  if (button.getAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  if (await perform(action, node)) polling.now();
  button.removeAttribute("aria-busy");
}

function drawCards(nodes) {
  const focused = byId("cards").contains(document.activeElement);
  for (const node of nodes) {
    if (!cards.has(node.id)) cards.set(node.id, nodeCard(press));
    cards.get(node.id).update(node);
  }
  reconcile(byId("cards"), nodes.map(({ id }) => cards.get(id).element));
  for (const id of [...cards.keys()]) if (!nodes.some((node) => node.id === id)) cards.delete(id);
  if (focused && !byId("cards").contains(document.activeElement)) byId("nodes-title").focus();
}

/** A change of state is said once. */
function say(nodes) {
  const now = new Map(nodes.map(({ id, state }) => [id, state]));
  if (!known) announce(`${plural(nodes.length, "storage node")}.`);
  for (const { id, address, state } of nodes) {
    const before = states.get(id);
    if (known && before !== state) announce(`${address} is ${state}.`);
  }
  known = true;
  states = now;
}

function showOnly(id) {
  for (const name of ["loading", "empty", "elsewhere", "error"]) byId(`nodes-${name}`).hidden = name !== id;
  byId("shelf").hidden = id === null;
  byId("cluster").hidden = id !== null;
  byId("cards").hidden = id !== null;
  byId("explained").hidden = id === "elsewhere" || id === "error";
}

function draw(cluster) {
  const nodes = [...cluster.nodes].sort((one, other) => one.address.localeCompare(other.address, undefined, { numeric: true }));
  byId("lost").hidden = true;
  setText(byId("fresh"), `Refreshed every ${PAUSE_MS / 1000} seconds`);
  drawTiles(cluster);
  drawCards(nodes);
  showOnly(nodes.length ? null : "empty");
  say(nodes);
}

function fail(error) {
  if (error.status === 404) showOnly("elsewhere");
  else if (known) byId("lost").hidden = false;
  else {
    setText(byId("nodes-error-detail"), error.detail ?? error.message);
    showOnly("error");
  }
  if (error.status === 404) polling.stop();
}

async function refresh(signal) {
  try {
    draw(await getCluster(signal));
  } catch (error) {
    if (error.name !== "AbortError") fail(error);
  }
}

byId("command").textContent = `penstock node --data /srv/penstock --locator ${location.origin}`;
byId("copy-command").addEventListener("click", ({ currentTarget }) => copyBy(currentTarget, byId("command")));
const polling = poll(refresh, PAUSE_MS);
byId("nodes-retry").addEventListener("click", () => polling.now());
showServer();
