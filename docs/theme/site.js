// What the search of mkdocs wants to know, and what HTML alone does not do here.
var base_url = document.documentElement.dataset.base;

addEventListener("DOMContentLoaded", () => {
  const contents = document.querySelector(".site-nav");
  if (matchMedia("(max-width: 60rem)").matches) contents.removeAttribute("open");
  contents.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });

  document.querySelectorAll("main table").forEach(fit);
  for (const box of document.querySelectorAll("main table, main pre"))
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;  // or the keyboard could not move it

  const query = document.getElementById("mkdocs-search-query");
  query.addEventListener("input", () => doSearch());  // what is pasted or cleared counts too
  addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== query) {
      event.preventDefault();
      query.focus();
    } else if (event.key === "Escape" && query.value) {
      query.value = "";
      document.getElementById("mkdocs-search-results").replaceChildren();
    }
  });
});

// Long names may be broken behind an underscore. Rows with sentences are blocks on a phone, where
// each cell says what its column is.
function fit(table) {
  for (const code of table.querySelectorAll("td code"))
    if (code.textContent.length > 24)
      code.replaceChildren(...code.textContent.split(/(?<=_)/).flatMap((part) => [part, document.createElement("wbr")]));

  const heads = [...table.querySelectorAll("th")].map((head) => head.textContent.trim());
  const rows = [...table.querySelectorAll("tbody tr")];
  const longest = Math.max(...rows.flatMap((row) => [...row.cells].map((cell) => cell.textContent.length)));
  if (longest < 60 || heads.length > 5) return;
  table.classList.add("stacked");
  for (const row of rows)
    [...row.cells].forEach((cell, column) => { if (heads[column]) cell.dataset.label = heads[column]; });
}
