// Names: a customer whose name nobody knew when the panel was drawn is named by its section.

import { all, on } from "./page.js";

on("htmx:after:swap", () => {
  for (const unnamed of all("[data-unnamed]")) {
    const known = unnamed.closest(".choice, #panel").querySelector("[data-name]");
    if (known) {
      unnamed.textContent = known.dataset.name;
      delete unnamed.dataset.unnamed;
    }
  }
});
