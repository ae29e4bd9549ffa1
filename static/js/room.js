// The room of a section: a card that needs less than a cold open holds for it gives the rest back,
// unless that would move something in sight that the agent may have read.

import { all, find, on } from "./page.js";

const LOADING_CARD = "[data-state=loading]";
const UNREAD = `${LOADING_CARD}, [data-state=failed], [data-state=denied]`;
const GLANCE = 300; // milliseconds: what was drawn later than that, nobody has read

// An element remembers when it was drawn, and that it is low: a refresh draws it anew, as low.
export function giveBack() {
  const parts = all(".sections.held > .card, .sections.held ~ *");
  for (const part of parts) {
    part.drawnAt = part.matches(UNREAD) ? NaN : part.drawnAt || Date.now();
    part.isLow &&= !part.matches(LOADING_CARD);
    part.classList.toggle("low", !!part.isLow);
  }
  // The words of a failure become fewer when the lines above the sections tell its cause.
  const unsettled = find("[data-outage]") ? LOADING_CARD : UNREAD;
  all(`.sections.held > .card:not(.low, ${unsettled})`).forEach((card) => lower(card, parts));
}

// Nothing is painted between the two measurements.
function lower(card, parts) {
  const places = parts.map(topOf);
  card.classList.add("low");
  const moved = parts.filter((part, at) => topOf(part) !== places[at] && topOf(part) < innerHeight);
  card.isLow = !moved.some((part) => Date.now() - part.drawnAt > GLANCE);
  card.isLow ? moved.forEach(redraw) : card.classList.remove("low");
}

const topOf = (part) => part.getBoundingClientRect().top;

// Hidden for a moment and drawn anew, instead of moved. What is hidden would lose the focus.
function redraw(part) {
  if (!part.matches(":focus-within")) part.animate({ visibility: ["hidden", "hidden"] }, 40);
}

on("htmx:after:swap", giveBack);
