// One storage node.

import { codeFact, showFacts, timeFact } from "../dashboard/facts.js";
import { h, icon, reconcile, setText } from "../dom.js";
import { bytes, duration, percent, plural } from "../format.js";
import { allows } from "../session.js";
import { possible } from "./actions.js";

const STATES = { joining: "Joining", live: "Live", suspect: "Suspect", dead: "Dead", draining: "Draining" };
/** The bar warns when less than this share of a disk is free. */
const TIGHT = 0.1;

function heard(silent) {
  return silent < 2 ? "just now" : `${duration(silent)} ago`;
}

function room({ capacity, free, used }) {
  if (!capacity) return "It does not tell its room, so it is given no parts.";
  return `${bytes(used)} of parts · ${bytes(free)} free of ${bytes(capacity)}`;
}

/** A card with `update(node)`, cheap enough for every two seconds; `press(action, node, button)` acts. */
export function nodeCard(press) {
  let shown = null;
  const title = h("h2", { class: "node-name" });
  const badge = h("span", { class: "badge" });
  const parts = h("span", { class: "fill parts" });
  const others = h("span", { class: "fill others" });
  const bar = h("div", { class: "disk", role: "img" }, parts, others);
  const text = h("p", { class: "node-room" });
  const list = h("dl", { class: "facts narrow" });
  const holder = h("div", { class: "node-actions" });
  const element = h(
    "li",
    { class: "panel part node" },
    h("div", { class: "part-head" }, h("div", { class: "node-head" }, icon("disk"), title), badge),
    bar,
    text,
    list,
    allows("admin") && holder,
  );

  const button = (action) => {
    const one = h("button", { type: "button", class: `button small ${action.style ?? ""}`, "data-action": action.name, on: { click: () => press(action, shown, one) } }, action.label);
    one.setAttribute("aria-label", `${action.label} ${shown.address}`);
    return one;
  };
  const drawActions = () => {
    const old = new Map([...holder.children].map((child) => [child.dataset.action, child]));
    reconcile(holder, possible(shown).map((action) => old.get(action.name) ?? button(action)));
  };

  const update = (node) => {
    shown = node;
    const elsewhere = Math.max(0, node.capacity - node.free - node.used);
    setText(title, node.address);
    setText(badge, STATES[node.state] ?? node.state);
    badge.className = `badge ${node.state}`;
    element.dataset.state = node.state;
    parts.style.width = `${node.capacity ? (100 * node.used) / node.capacity : 0}%`;
    others.style.width = `${node.capacity ? (100 * elsewhere) / node.capacity : 0}%`;
    bar.classList.toggle("tight", node.capacity > 0 && node.free < node.capacity * TIGHT);
    bar.setAttribute("aria-label", `${percent(node.capacity - node.free, node.capacity)} percent of the disk in use`);
    setText(text, room(node));
    showFacts(list, [
      ["Copies", plural(node.parts, "part")],
      ["Heard of", heard(node.silent)],
      ["Verified", timeFact(node.scrubbed) ?? "not yet"],
      ["Id", codeFact(node.id)],
    ]);
    drawActions();
  };
  return { element, update };
}
