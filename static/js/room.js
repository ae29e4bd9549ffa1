// The room of a section: a cold open reserves a height for each card. A card that needs less gives the
// rest back, unless its end is in sight. So nothing that the agent sees moves.

import { all, find, on } from "./page.js";

const UNREAD = "#panel:has([data-outage]):not(:has(.sections > :not([data-state=failed], [data-state=denied])))";
const lowered = new Set(); // ids of low cards: a refresh draws a card anew, and it must stay low
let isUnread = false; // nothing could be read, so there is nothing that could move

function lower() {
  const wasUnread = isUnread;
  isUnread = !!find(UNREAD);
  for (const card of all(".sections.held > .card")) {
    if (card.dataset.state === "loading") lowered.delete(card.id);
    else if (isUnread || lowered.has(card.id) || endsBelowWindow(card)) {
      lowered.add(card.id);
      card.classList.add("low");
    }
  }
  // A hidden element would lose the focus.
  if (isUnread && !wasUnread && !find(".sections :focus")) redraw(find(".sections"));
}

const endsBelowWindow = (card) => card.lastElementChild.getBoundingClientRect().bottom >= innerHeight;

// Hides the sections in one frame and shows them in the next: in between, nothing is seen moving.
function redraw(sections) {
  sections.hidden = true;
  requestAnimationFrame(() => requestAnimationFrame(() => (sections.hidden = false)));
}

on("htmx:after:swap", lower);
