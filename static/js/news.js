// News: a row that appears or changes on the screen is marked for a moment, and announced once.

import { all, find, on, ownerOf, wordsOf } from "./page.js";
import { announceNews } from "./status.js";

const MARKED = 8000;
let before = new Map(); // the rows of each section as they were drawn before the swap

// A section is compared only with itself from before: of the same customer, with the same values masked.
const drawnSections = () => all("[data-section]:is([data-state=fresh], [data-state=late], [data-state=empty])");
const nameOf = (section) => `${ownerOf(section)} ${section.dataset.section} ${"uncovered" in section.dataset}`;
const rowsOf = (section) => new Map(all("[data-row]", section).map((row) => [row.dataset.row, textOf(row)]));

function textOf(row) {
  const copy = row.cloneNode(true);
  all("[data-age], .details", copy).forEach((part) => part.remove()); // these change by themselves
  return copy.textContent.replace(/\s+/g, " ");
}

function markNews(section, old) {
  const words = wordsOf();
  const counts = new Map();
  for (const row of all("[data-row]", section)) {
    const known = old.get(row.dataset.row);
    if (known === textOf(row)) continue;
    const word = known === undefined ? words.isNew : words.isChanged;
    mark(row.querySelector(".what, .name") || row, word);
    counts.set(word, (counts.get(word) || 0) + 1);
  }
  const text = [...counts].map(([word, count]) => `${word} (${count})`).join(", ");
  if (text) announceNews(`${section.querySelector("h2").textContent}: ${text}`);
}

function mark(place, word) {
  place.dataset.news = word;
  setTimeout(() => delete place.dataset.news, MARKED);
}

// A row that changed before the panel was opened has a quiet mark while the line about it stands.
function markRecent() {
  for (const id of find("#recent")?.dataset.rows.split(" ") || []) {
    const place = document.getElementById(id)?.querySelector(".what");
    if (place) place.dataset.recent = wordsOf().isRecent;
  }
}

on("htmx:before:swap", () => {
  before = new Map(drawnSections().map((section) => [nameOf(section), rowsOf(section)]));
});

on("htmx:after:swap", () => {
  for (const section of drawnSections()) {
    const old = before.get(nameOf(section));
    if (old) markNews(section, old);
  }
  before.clear();
  markRecent();
});

markRecent(); // the panel was drawn before this module came
