// Names: a section gives the customer a name that was not known when the panel was drawn.

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
