// The question before something is uncovered. It is the same everywhere, and stands in the shell.

import { copyOf, on } from "./page.js";

on("beforetoggle", ({ target }) => {
  if (target.firstChild) return;
  target.append(copyOf("#uncover"));
  const form = target.firstElementChild;
  form.querySelector("strong").textContent = target.getAttribute("aria-label");
  form.elements.section.value = form.closest("section").dataset.section;
  form.querySelector("[popovertargetaction]").popoverTargetElement = target;
  htmx.process(form);
}, true);
