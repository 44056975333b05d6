// The form that has a folder archived: first the plan, then the job.

import { announce } from "../announce.js";
import { byId } from "../dom.js";
import { bytes, count, duration, facts, plural } from "../format.js";
import { notify } from "../notices.js";
import { session } from "../session.js";
import { beginArchive, planArchive } from "./api.js";
import { codeFact, showFacts } from "./facts.js";
import { suggestFolders } from "./folders.js";
import { jobUrl } from "./route.js";
import { usageFacts } from "./usage.js";
import { laneName } from "./words.js";

function planFacts(plan) {
  return [
    ["Folder", codeFact(plan.prefix || "all files")],
    ["Stored as", codeFact(plan.key)],
    ["Files", facts(plural(plan.files, "file"), plan.folders > 0 && plural(plan.folders, "empty folder"), bytes(plan.bytes))],
    ["Size of the archive", `${bytes(plan.size)} (${plural(plan.size, "byte")})`],
    ["Lane", laneName(plan.lane)],
    ["Parts", plan.parts > 1 && count(plan.parts)],
    ...usageFacts(plan),
    ["Time", `about ${duration(plan.seconds)}`],
  ];
}

export class ArchiveForm {
  #form = byId("archive-form");
  #request = new AbortController();
  /** What the plan that is shown is for. */
  #wish = null;

  constructor() {
    suggestFolders(byId("archive-prefix"), byId("folders"));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#plan();
    });
    this.#form.addEventListener("input", () => this.#forget());
    byId("archive-start").addEventListener("click", () => this.#begin());
  }

  open(prefix) {
    this.#form.reset();
    this.#form.elements.prefix.value = prefix || session.prefix;
    this.#forget();
  }

  close() {
    this.#request.abort();
  }

  /** A plan is of what stands in the form, or it is none. */
  #forget() {
    this.#request.abort();
    this.#wish = null;
    byId("plan-shown").hidden = true;
    byId("plan-none").hidden = false;
    byId("archive-problem").hidden = true;
  }

  #wished() {
    const { prefix, key, overwrite } = this.#form.elements;
    const wish = { prefix: prefix.value.trim(), overwrite: overwrite.checked };
    return key.value.trim() ? { ...wish, key: key.value.trim() } : wish;
  }

  async #plan() {
    await this.#busy(byId("archive-plan"), async () => {
      this.#forget();
      this.#request = new AbortController();
      const { signal } = this.#request;
      const wish = this.#wished();
      const plan = await planArchive(wish, signal);
      if (signal.aborted) return;
      this.#wish = wish;
      showFacts(byId("plan-facts"), planFacts(plan));
      byId("plan-none").hidden = true;
      byId("plan-shown").hidden = false;
      byId("plan-title").focus();
      announce(`Plan: ${plural(plan.files, "file")}, ${bytes(plan.size)}.`);
    });
  }

  async #begin() {
    await this.#busy(byId("archive-start"), async () => {
      const { archive, isNew } = await beginArchive(this.#wish);
      if (!isNew) notify("This archive was made lately and still stands: here it is");
      location.hash = jobUrl(archive.id);
    });
  }

  async #busy(button, work) {
    if (button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      if (error.name === "AbortError") return;
      byId("archive-problem").textContent = error.detail ?? error.message;
      byId("archive-problem").hidden = false;
    } finally {
      button.removeAttribute("aria-busy");
    }
  }
}
