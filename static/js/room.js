// The room of a section: a card that needs less than a cold open holds for it gives the rest back,
// unless that would move something in sight that the agent may have read.

import { all, find, on } from "./page.js";

const TOLD = ".sections > :not([data-state=failed], [data-state=denied])";
const GLANCE = 300; // milliseconds: what was drawn later than that, nobody has read
let places = new Map(); // of the parts before a swap

const listParts = () => all(".sections.held > .card, .sections.held ~ *");
const topOf = (part) => part.getBoundingClientRect().top;
const measure = (parts) => new Map(parts.map((part) => [part, topOf(part)]));
const isRead = (part) => Date.now() - part.drawnAt > GLANCE;

// An element remembers when it was drawn, and that it is low: a refresh draws it anew, as low.
export function giveBack() {
  const parts = listParts();
  const isTold = find(TOLD); // where nothing could be read, everything may move
  for (const part of parts) {
    const isLoading = part.dataset.state === "loading";
    part.drawnAt = isTold && !isLoading ? part.drawnAt || Date.now() : NaN;
    part.isLow &&= !isLoading;
    part.classList.toggle("low", !!part.isLow);
  }
  all(".sections.held > .card:not(.low, [data-state=loading])").forEach((card) => lower(card, parts));
  parts.filter((part) => topOf(part) !== (places.get(part) ?? topOf(part)) && !isRead(part)).forEach(redraw);
}

// Nothing is painted between the two measurements.
function lower(card, parts) {
  const held = measure(parts);
  card.classList.add("low");
  card.isLow = !parts.some((part) => topOf(part) !== held.get(part) && held.get(part) < innerHeight && isRead(part));
  card.classList.toggle("low", card.isLow);
}

// Hidden in one frame and drawn anew in the next one, instead of moved. What is hidden would lose the focus.
function redraw(part) {
  if (part.matches(":focus-within")) return;
  const hiding = part.animate({ visibility: ["hidden", "hidden"] }, 1e9); // as a frame may take long
  requestAnimationFrame(() => requestAnimationFrame(() => hiding.cancel()));
}

on("htmx:before:swap", () => (places = measure(listParts())));
on("htmx:after:swap", giveBack);
