// The login is a plain form; this makes it more comfortable.

const field = document.getElementById("secret");
const toggle = document.getElementById("show-secret");
const next = document.getElementById("next");
const problem = document.getElementById("login-problem");
const submit = document.getElementById("login-submit");

/** Where to go afterwards: as the server says, or the link that led here, or the page in whose place this one is shown. */
function destination() {
  const asked = next.value || new URLSearchParams(location.search).get("next") || "";
  if (asked) return asked;
  return location.pathname === "/login" ? "/" : location.pathname + location.search;
}

/** What stands behind `#` never reaches the server. */
function withFragment(path) {
  return path.includes("#") || location.pathname === "/login" ? path : path + location.hash;
}

function show(visible) {
  field.type = visible ? "text" : "password";
  toggle.setAttribute("aria-pressed", String(visible));
  toggle.firstChild.data = visible ? "Hide" : "Show";
}

next.value = withFragment(destination());
toggle.hidden = false;
toggle.addEventListener("click", () => {
  show(field.type === "password");
  field.focus();
});
document.getElementById("login").addEventListener("submit", (event) => {
  if (submit.getAttribute("aria-busy")) {
    event.preventDefault();
    return;
  }
  show(false); // or the browser would remember it as plain text
  submit.setAttribute("aria-busy", "true");
});
// Back from the next page, out of the browser's memory.
window.addEventListener("pageshow", () => submit.removeAttribute("aria-busy"));
if (problem.textContent.trim()) {
  field.setAttribute("aria-invalid", "true");
  field.addEventListener("input", () => field.removeAttribute("aria-invalid"), { once: true });
}
field.focus();
