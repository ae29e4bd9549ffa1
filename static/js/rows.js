// Rows: opened in place, and still open when their section is drawn anew.

import { all, announce, find, meta, on } from "./page.js";

const OPENED = "[data-action=open][aria-expanded=true]";
const CLOSED_LIST = "details:not([open])";
const rowOf = (element) => element.closest("[data-row]");
const sectionOf = (element) => element.closest("[data-section]");
const placeOf = (button) => rowOf(button).querySelector(".details");
// Identifies the content of the section. Details are loaded anew when it has changed.
const stampOf = ({ dataset }) => `${dataset.version} ${dataset.readAt}`;
let inSight = []; // the opened rows before a swap

function load(button, values = {}) {
  const section = sectionOf(button);
  const target = placeOf(button);
  target.stamp = stampOf(section);
  const path = `rows/${section.dataset.section}/${rowOf(button).dataset.row}`;
  htmx.ajax("GET", meta("root") + path, { target, source: target, swap: "innerMorph", values });
}

const isOutdated = (button) => !placeOf(button).firstChild || placeOf(button).stamp !== stampOf(sectionOf(button));

on("click", ({ target }) => {
  const button = target.closest("[data-action=open]");
  if (!button) return;
  const opens = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", opens);
  if (opens && isOutdated(button)) load(button);
});

on("htmx:before:swap", () => {
  inSight = all(OPENED).filter((button) => !button.closest(CLOSED_LIST)).map((button) => rowOf(button).id);
});

// A row may have moved behind the line of closed records: the agent who reads it must not lose it.
on("htmx:after:swap", ({ detail: { ctx } }) => {
  const refreshed = ctx.request?.action.endsWith("/refresh") && sectionOf(ctx.sourceElement);
  inSight.forEach((id) => find(`#${id}`)?.closest(CLOSED_LIST)?.setAttribute("open", ""));
  for (const button of all(OPENED)) {
    const isAsked = sectionOf(button) === refreshed;
    if (isAsked || isOutdated(button)) load(button, isAsked ? { again: 1 } : {});
  }
  const trouble = ctx.sourceElement?.matches(".details") && ctx.sourceElement.querySelector(".trouble strong");
  if (trouble) announce(trouble.textContent);
});
