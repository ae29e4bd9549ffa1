// Names: a section gives the customer a name that was not known when the panel was drawn. The
// buttons that are called by it follow.

import { all, on } from "./page.js";

on("htmx:after:swap", () => {
  for (const unnamed of all("[data-unnamed]")) {
    const place = unnamed.closest(".choice, #panel");
    const name = place.querySelector("[data-name]")?.dataset.name;
    if (name) {
      for (const button of place.querySelectorAll("[aria-label]"))
        button.ariaLabel = button.ariaLabel.replace(unnamed.textContent, () => name);
      unnamed.textContent = name;
      delete unnamed.dataset.unnamed;
    }
  }
});
