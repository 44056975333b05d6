// The lanes: how many jobs are in each, and the button that holds one back.

import { announce } from "../announce.js";
import { byId, h, icon, reconcile, setText } from "../dom.js";
import { count } from "../format.js";
import { notifyProblem } from "../notices.js";
import { allows } from "../session.js";
import { pauseLane } from "./api.js";
import { laneName, STATES } from "./words.js";

const ORDER = ["small", "large"];

/** Archives first, what is not known here last. */
function place({ name }) {
  const index = ORDER.indexOf(name);
  return index < 0 ? ORDER.length : index;
}

/** Emits `change` when something about a lane differs. */
export class Lanes extends EventTarget {
  #cards = new Map();
  #paused = new Map();

  /** Whether a lane is paused. */
  isPaused(name) {
    return this.#paused.get(name) ?? false;
  }

  show(all) {
    const lanes = [...all].sort((one, other) => place(one) - place(other));
    const cards = new Map(lanes.map((lane) => [lane.name, this.#cards.get(lane.name) ?? this.#card(lane.name)]));
    this.#cards = cards;
    this.#paused = new Map(lanes.map(({ name, paused }) => [name, paused]));
    for (const lane of lanes) cards.get(lane.name).update(lane);
    reconcile(byId("lanes"), [...cards.values()].map(({ element }) => element));
    document.documentElement.classList.toggle("flowing", lanes.some(({ running }) => running > 0));
    this.dispatchEvent(new Event("change"));
  }

  async #toggle(name, button) {
    const pause = !this.isPaused(name);
    button.setAttribute("aria-busy", "true");
    try {
      const lane = await pauseLane(name, pause);
      this.#paused.set(name, lane.paused);
      this.#cards.get(name)?.update(lane);
      announce(`${laneName(name)} ${lane.paused ? "paused" : "go on"}.`);
      this.dispatchEvent(new Event("change"));
    } catch (error) {
      notifyProblem(`${laneName(name)} could not be ${pause ? "paused" : "resumed"}`, error);
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  #card(name) {
    const numbers = Object.keys(STATES).map((state) => [state, h("dd")]);
    const title = h("h2", {}, laneName(name));
    const chip = h("span", { class: "chip" }, "Paused");
    const button = h("button", { type: "button", class: "button small", on: { click: () => this.#toggle(name, button) } });
    const element = h(
      "li",
      { class: "panel lane", "data-lane": name },
      h("div", { class: "lane-head" }, title, chip, button),
      h("dl", { class: "counts" }, numbers.map(([state, number]) => h("div", { class: state }, h("dt", {}, STATES[state].name), number))),
    );
    const update = (lane) => {
      for (const [state, number] of numbers) {
        setText(number, count(lane[state]));
        number.parentElement.classList.toggle("none", lane[state] === 0);
      }
      chip.hidden = !lane.paused;
      button.hidden = !allows("admin");
      const action = lane.paused ? "Resume" : "Pause";
      if (button.dataset.action === action) return;
      button.dataset.action = action;
      button.setAttribute("aria-label", `${action} ${laneName(name)}`);
      button.replaceChildren(icon(lane.paused ? "resume" : "pause"), action);
    };
    return { element, update };
  }
}
