// What can be done with a job: try it again, or cancel it after asking.

import { ask } from "../dialog.js";
import { h, icon } from "../dom.js";
import { notifyProblem } from "../notices.js";
import { cancelJob, retryJob } from "./api.js";
import { hasEnded } from "./words.js";

async function cancel(job) {
  const answer = await ask({
    title: "Cancel this job?",
    text: "What it has made so far is removed. It can be tried again later.",
    items: [job.title],
    choices: [
      { value: "", label: "Let it go on" },
      { value: "cancel", label: "Cancel the job", style: "danger solid" },
    ],
  });
  return answer === "cancel" ? cancelJob(job.id) : null;
}

/** A button that acts once at a time; `heard` is told how the job stands then. */
function button({ label, image, style = "", failure, act }, job, heard) {
  const press = async () => {
    if (element.getAttribute("aria-busy")) return;
    element.setAttribute("aria-busy", "true");
    try {
      const now = await act(job);
      if (now) heard(now);
    } catch (error) {
      notifyProblem(failure, error);
    } finally {
      element.removeAttribute("aria-busy");
    }
  };
  const element = h("button", { type: "button", class: `button ${style}`, on: { click: press } }, icon(image), label);
  return element;
}

const CANCEL = { label: "Cancel", image: "close", style: "danger", failure: "The job could not be cancelled", act: cancel };
const RETRY = { label: "Try again", image: "retry", failure: "The job could not be tried again", act: ({ id }) => retryJob(id) };
const HURRY = { ...RETRY, label: "Try now" };

function possible(job) {
  if (hasEnded(job)) return job.state === "done" ? [] : [RETRY];
  if (job.cancelling) return [];
  return job.state === "waiting" && job.next_try ? [HURRY, CANCEL] : [CANCEL];
}

/** Names what is possible now, to be made anew only when that differs. */
export function actionsOf(job) {
  return possible(job).map(({ label }) => label).join();
}

export function actionButtons(job, heard) {
  return possible(job).map((action) => button(action, job, heard));
}
