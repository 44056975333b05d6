// Short messages in the corner. Failures and those with a link stay until dismissed.

import { announce } from "./announce.js";
import { byId, h, icon } from "./dom.js";

const LINGER_MS = 7000;

/** Show a message; the answer takes it away again. `body` is a node or nothing. */
export function notify(title, { body = null, bad = false, stays = bad || body != null } = {}) {
  const close = h("button", { type: "button", class: "icon-button", "aria-label": "Dismiss this message" }, icon("close"));
  const notice = h(
    "div",
    { class: bad ? "notice bad" : "notice" },
    h("p", { class: "notice-title" }, title),
    close,
    body && h("div", { class: "notice-body" }, body),
  );
  const dismiss = () => notice.remove();
  close.addEventListener("click", dismiss);
  byId("notices").append(notice);
  announce(body ? `${title}. ${body.textContent}` : `${title}.`);
  if (!stays) setTimeout(dismiss, LINGER_MS);
  return dismiss;
}

/** Show that something failed and what to do about it. */
export function notifyProblem(title, error) {
  return notify(title, { bad: true, body: h("p", {}, error.detail ?? error.message) });
}
