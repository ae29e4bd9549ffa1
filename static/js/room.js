// The room of a section: a card that needs less than a cold open holds for it gives the rest back,
// unless the place where the card will end is in sight. So nothing that the agent sees moves.

import { all, find, on } from "./page.js";

const UNREAD = "#panel:has([data-outage]):not(:has(.sections > :not([data-state=failed], [data-state=denied])))";
const lowered = new Set(); // ids: a refresh draws such a card anew, as low as before
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
  // What is hidden loses the focus.
  if (isUnread && !wasUnread && !find(".sections :focus")) redraw(find(".sections"));
}

const endsBelowWindow = (card) => card.lastElementChild.getBoundingClientRect().bottom >= innerHeight;

// Hidden in one frame and drawn anew in the next one, instead of moved.
function redraw(sections) {
  sections.hidden = true;
  requestAnimationFrame(() => requestAnimationFrame(() => (sections.hidden = false)));
}

on("htmx:after:swap", lower);
