// The arrangement: which sections are collapsed and in which order they stand, as the agent
// prefers. The page sends the whole arrangement after each change, and the server draws it at the
// next opening.

import { all, find, on } from "./page.js";

const isFolded = (section) => section.querySelector("[data-action=fold]").ariaExpanded === "false";
const namesOf = (sections) => sections.map((section) => section.dataset.section).join();
const movedOf = (row) => find(`[data-section=${row.dataset.of}]`);

function keepArrangement() {
  const form = find("#arrangement");
  const sections = all(".sections > [data-section]");
  form.elements.order.value = namesOf(sections);
  form.elements.collapsed.value = namesOf(sections.filter(isFolded));
  form.dispatchEvent(new CustomEvent("panel:arranged"));
}

// The row of the menu and the section itself change places with their neighbours.
function moveSection(button, isUp) {
  const row = button.closest("li");
  const other = isUp ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  for (const partOf of [(each) => each, movedOf]) {
    partOf(other)[isUp ? "before" : "after"](partOf(row));
  }
  button.focus();
  keepArrangement();
}

const ARRANGING = {
  fold(button) {
    button.ariaExpanded = button.ariaExpanded === "false";
    keepArrangement();
  },
  arrange: () => find("#arrange").showModal(),
  "move-up": (button) => moveSection(button, true),
  "move-down": (button) => moveSection(button, false),
};

on("click", ({ target }) => {
  const button = target.closest("[data-action]");
  ARRANGING[button?.dataset.action]?.(button);
});
