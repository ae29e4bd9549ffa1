// The keyboard's place: where it goes on after what it stood in was replaced.

import { find, on } from "./page.js";

const HEADING = "#panel h1";
let place = null; // the heading to go on at, found before the swap

// The button of the opened row where the keyboard stands, or the heading of its section, else of the
// panel; none for a keyboard that is elsewhere, for there it is Chatwoot's.
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

// Does what replaces a part of the panel, and keeps the keyboard in it.
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

// The agent opened it by hand.
on("toggle", ({ target }) => target.id === "change" && target.open && target.querySelector("input").focus(), true);
