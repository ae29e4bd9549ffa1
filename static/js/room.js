// The room of a section: a card that needs less than a cold open holds for it gives the rest back,
// unless that would move something in sight that the agent may have read.

import { all, find, on } from "./page.js";

const TOLD = ".sections > :not([data-state=failed], [data-state=denied])";
const GLANCE = 300; // milliseconds: what was drawn later than that, nobody has read

// An element remembers when it was drawn, and that it is low: a refresh draws it anew, as low.
export function giveBack() {
  const parts = all(".sections.held > .card, .sections.held ~ *");
  const isTold = find(TOLD); // where nothing could be read, everything may move
  for (const part of parts) {
    const isLoading = part.dataset.state === "loading";
    part.drawnAt = isTold && !isLoading ? part.drawnAt || Date.now() : NaN;
    part.isLow &&= !isLoading;
    part.classList.toggle("low", !!part.isLow);
  }
  all(".sections.held > .card:not(.low, [data-state=loading])").forEach((card) => lower(card, parts));
}

// Nothing is painted between the two measurements.
function lower(card, parts) {
  const places = new Map(parts.map((part) => [part, topOf(part)]));
  card.classList.add("low");
  const moved = parts.filter((part) => topOf(part) !== places.get(part));
  const isRead = (part) => places.get(part) < innerHeight && Date.now() - part.drawnAt > GLANCE;
  card.isLow = !moved.some(isRead);
  card.isLow ? moved.forEach(redraw) : card.classList.remove("low");
}

const topOf = (part) => part.getBoundingClientRect().top;

// Hidden for a moment and drawn anew, instead of moved. What is hidden would lose the focus.
function redraw(part) {
  if (!part.matches(":focus-within")) part.animate({ visibility: ["hidden", "hidden"] }, 40);
}

on("htmx:after:swap", giveBack);
