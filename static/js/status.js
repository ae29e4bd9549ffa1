// The status: one polite region outside the sections tells screen readers the panel's state. The
// sections themselves are silent, so an outage of all four is one sentence, announced once.

import { REFRESHING, wasRefreshed } from "./loader.js";
import { all, announce, find, on, panel, wordsOf } from "./page.js";

const QUIET = 400; // messages of several sections in this time become one sentence
const TROUBLED = "[data-section]:is([data-code]:not([data-code=busy]), :has(> [data-lost-part]))";
const WITHOUT_SECTIONS = ["choose", "unlinked", "denied", "failed"];
let pendingReport = null;
let saidTrouble = "";
let saidHeading = "";
let isAsked = wasRefreshed(); // the agent pressed refresh, and nothing was announced since then

export function announceNews(text) {
  isAsked = false;
  announce(text);
}

function report() {
  if (find("[data-state=loading], .htmx-request:not(#live)")) return; // their end calls this again
  const text = reportHeading() || reportTrouble();
  if (text) announceNews(text);
}

// The heading of a whole page that replaces the sections is announced, unless it has the focus.
function reportHeading() {
  const isPage = WITHOUT_SECTIONS.includes(panel().dataset.panel);
  const heading = isPage ? find("#panel h1") : null;
  const text = heading?.textContent || "";
  const isNew = text !== saidHeading;
  saidHeading = text;
  return isNew && heading !== document.activeElement && text;
}

function reportTrouble() {
  const trouble = describeTrouble();
  const isNew = trouble !== saidTrouble;
  saidTrouble = trouble;
  if (isNew || (isAsked && trouble)) return trouble || wordsOf().upToDate;
  return isAsked && wordsOf().upToDate;
}

function describeTrouble() {
  const troubled = all(TROUBLED);
  const isUnread = ({ dataset }) => ["failed", "denied"].includes(dataset.state);
  const unread = titlesOf(troubled.filter(isUnread));
  const outdated = titlesOf(troubled.filter((section) => !isUnread(section)));
  const parts = [unread && `${wordsOf().unread}: ${unread}.`, outdated && `${wordsOf().outdated}: ${outdated}.`];
  return parts.filter(Boolean).join(" ");
}

const titlesOf = (sections) => sections.map((section) => section.querySelector("h2").textContent).join(", ");

// Announces the number of search results, or the reason why there are none.
function reportResults(results) {
  const text = results.dataset.said || results.textContent.trim();
  if (text) announceNews(text);
}

function reportSoon() {
  clearTimeout(pendingReport);
  pendingReport = setTimeout(report, QUIET);
}

on("click", ({ target }) => {
  if (target.closest(REFRESHING)) isAsked = true;
});
on("htmx:after:swap", ({ detail: { ctx } }) => {
  reportSoon();
  if (ctx.sourceElement.id === "query") reportResults(find("#results"));
});
on("htmx:finally:request", reportSoon);

reportSoon(); // the panel was drawn before this module came
