// Swagger UI on our own contract, from our own files.

/** Dark or light as the system has it: Swagger UI looks for a class on the root element. */
function followScheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", apply);
  apply();
}

document.addEventListener("DOMContentLoaded", () => {
  followScheme();
  window.SwaggerUIBundle({
    dom_id: "#swagger",
    url: "/openapi.yaml",
    validatorUrl: null,
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: false,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
  });
});
