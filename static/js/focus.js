// The keyboard's focus: its new place when the element that had it was replaced.

import { find, on } from "./page.js";

const HEADING = "#panel h1";
let place = null; // the heading for the focus, chosen before the swap

// Returns the button of the opened row that has the focus, or the heading of its section, else of
// the panel. While the focus is outside the panel, it is Chatwoot's, and there is none.
function findPlace() {
  const { activeElement } = document;
  if (!activeElement?.closest("#panel")) return null;
  const row = activeElement.closest(".details")?.parentElement;
  if (row) return `#${row.id} [data-action=open]`;
  const section = activeElement.closest("[data-section]");
  return section ? `[data-section=${section.dataset.section}] h2` : HEADING;
}

export function goOnAt(heading) {
  if (!heading) return;
  if (heading.tabIndex < 0) heading.tabIndex = -1;
  heading.focus();
}

// Calls `replace`, which replaces a part of the panel, and keeps the focus in the panel.
export function keepPlace(replace) {
  const selector = findPlace();
  replace();
  restore(selector);
}

function restore(selector) {
  if (selector && document.activeElement === document.body) goOnAt(find(selector) || find(HEADING));
}

on("htmx:before:swap", () => {
  place = findPlace() || place;
});

on("htmx:after:swap", () => {
  restore(place);
  place = null;
});

// The agent opened the element by hand.
on("toggle", ({ target }) => target.id === "change" && target.open && target.querySelector("input").focus(), true);
