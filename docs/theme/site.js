// What the search of mkdocs wants to know, and the two things that HTML alone does not do here.
var base_url = document.documentElement.dataset.base;

addEventListener("DOMContentLoaded", () => {
  const contents = document.querySelector(".site-nav");
  if (matchMedia("(max-width: 60rem)").matches) contents.removeAttribute("open");
  contents.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });

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
