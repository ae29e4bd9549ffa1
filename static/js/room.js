// The room of a section: a card that needs less than a cold open holds for it gives the rest back,
// unless the place where the card will end is in sight. So nothing that the agent sees moves.

import { all, on } from "./page.js";

const lowered = new Set(); // ids: a refresh draws such a card anew, as low as before

function lower() {
  for (const card of all(".sections.held > .card")) {
    if (card.dataset.state === "loading") lowered.delete(card.id);
    else if (lowered.has(card.id) || endsBelowWindow(card)) {
      lowered.add(card.id);
      card.classList.add("low");
    }
  }
}

const endsBelowWindow = (card) => card.lastElementChild.getBoundingClientRect().bottom >= innerHeight;

on("htmx:after:swap", lower);
