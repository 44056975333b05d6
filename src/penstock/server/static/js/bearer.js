// The token of pages for who has no login: it goes with every request they make.

let token = "";

/** From now on send this token. */
export function useBearer(text) {
  token = text;
}

/** Whether there is one: who has it may put files, and see none. */
export function hasBearer() {
  return token !== "";
}

/** `headers`, and the token if there is one. */
export function withBearer(headers = {}) {
  return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
}
