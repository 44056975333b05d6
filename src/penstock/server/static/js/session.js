// Who is logged in, as the server wrote it into the masthead, and what becomes of it.

const { actor = "", scopes = "", prefix = "" } = document.querySelector(".masthead")?.dataset ?? {};

/** `{actor, scopes, prefix}`: `scopes` as the server names them, `prefix` the folder that is all there is for this login. */
export const session = { actor, scopes: new Set(scopes.split(" ").filter(Boolean)), prefix };

/** Whether this login is good for something; `admin` is for everything. */
export function allows(scope) {
  return session.scopes.has(scope) || session.scopes.has("admin");
}

const busy = new Set();
const listeners = new Set();
let ended = false;

/** Where one logs in, to come back to this page. */
export function loginUrl() {
  return `/login?${new URLSearchParams({ next: location.pathname + location.search + location.hash })}`;
}

/** As long as `isBusy()` says so, this page is not left by itself. */
export function stayWhile(isBusy) {
  busy.add(isBusy);
}

/** Call `listener()` when the login has ended and the page is not left because of it. */
export function onLoginEnded(listener) {
  listeners.add(listener);
}

/** A request was refused for want of a login: go to the login, but for what would be lost by it. */
export function loginEnded() {
  if (ended || !session.actor || session.actor === "anyone") return;
  ended = true;
  if (![...busy].some((isBusy) => isBusy())) location.assign(loginUrl());
  else for (const listener of listeners) listener();
}

/** There is a login again, or may be: the next refusal counts anew. */
export function loginRenewed() {
  ended = false;
}
