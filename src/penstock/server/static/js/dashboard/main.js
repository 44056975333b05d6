// The page of jobs: joins the views, the lanes and the events.

import { announce } from "../announce.js";
import { byId } from "../dom.js";
import { showServer } from "../server-name.js";
import { ALL_EVENTS, listLanes } from "./api.js";
import { ArchiveForm } from "./archive-form.js";
import { JobPage } from "./job-page.js";
import { Jobs } from "./jobs.js";
import { Lanes } from "./lanes.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { currentRoute, followRoute } from "./route.js";

const live = new Live();
const lanes = new Lanes();
const jobs = new Jobs();
const page = new JobPage(live, lanes);
const form = new ArchiveForm();
let shown = null;

/** For a page that no events of lanes come to. */
async function askLanes() {
  try {
    lanes.show(await listLanes());
  } catch { /* the job itself says so if the server is gone */ }
}

const VIEWS = {
  jobs: {
    title: "Jobs",
    open(route) {
      jobs.open({ state: route.state, kind: route.kind });
      if (shown === "jobs") return;
      const hear = { lanes: ({ lanes: all }) => lanes.show(all), job: (job) => jobs.hear(job) };
      live.watch(ALL_EVENTS, hear, () => jobs.refresh());
    },
    close: () => live.close(),
  },
  job: {
    title: "Job",
    open({ id }) {
      page.open(id);
      askLanes();
    },
    close() {
      live.close();
      page.close();
    },
  },
  archive: {
    title: "Archive a folder",
    open: ({ prefix }) => form.open(prefix),
    close: () => form.close(),
  },
};

function show(route, { focus = false } = {}) {
  const { view } = route;
  if (shown && (shown !== view || view === "job")) VIEWS[shown].close();
  for (const name of Object.keys(VIEWS)) byId(`view-${name}`).hidden = name !== view;
  document.title = `${VIEWS[view].title} · Penstock`;
  VIEWS[view].open(route);
  if (focus && shown !== view) {
    byId(`${view}-title`).focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
  shown = view;
}

live.addEventListener("change", () => {
  byId("lost").hidden = !live.lost;
  if (live.lost) announce("The connection is lost. What is shown may be out of date.");
});
// Behind `#` is the view, which a jump within the page must not replace.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
new List(jobs, lanes);
followRoute((route) => show(route, { focus: true }));
show(currentRoute());
showServer();
