// The visit: which panel is shown or awaited, and how it is opened.

import { askUntilAnswered } from "./bridge.js";
import { replacePanel } from "./failures.js";
import { isReady, meta, on, panel } from "./page.js";

const STALE = 20 * 60 * 1000; // well before a seal's half hour ends
const UNSETTLED = ["waiting", "failed"];
const BUSY = 4000;

export let visit = null; // the context that the shown or awaited panel was asked for with
export let fields = {}; // everything that this question sent
let openedAt = 0;
let question = null; // under way: true, from its start on what htmx knows of it
let retry = null;

// What Chatwoot says opens a panel, unless that panel is shown or awaited already.
export function show(context) {
  const same = visit && Object.keys(context).every((name) => context[name] === visit[name]);
  const settled = question || !UNSETTLED.includes(panel().dataset.panel);
  if (same && settled && !isStale()) return;
  open(context, same && isReady());
}

// A panel of the same customer is morphed in place. That of another conversation is thrown away, so
// that answers under way for it find nothing to land in. A panel that is still asked for is thrown
// away too: htmx would let the newer question wait for an element that the older answer replaces.
function open(context, morphs, more) {
  fields = { ...context, ...more, organization: (morphs && panel().dataset.organization) || 0 };
  if (!morphs && visit && (question || context.conversation !== visit.conversation)) clear();
  clearTimeout(retry);
  visit = context;
  openedAt = Date.now();
  question = true;
  const swap = morphs ? "outerMorph" : "outerHTML";
  htmx.ajax("POST", meta("root") + "contact", { target: "#panel", source: "#panel", swap, values: fields });
}

function clear() {
  const waiting = document.createElement("main");
  waiting.id = "panel";
  waiting.dataset.panel = "waiting";
  panel().dispatchEvent(new CustomEvent("htmx:abort"));
  panel().replaceWith(waiting);
}

export function openAgain() {
  if (visit) open(visit, isReady());
  else askUntilAnswered();
}

// In a while, unless the panel is opened before.
export function openAgainIn(milliseconds) {
  clearTimeout(retry);
  retry = setTimeout(openAgain, milliseconds);
}

const isStale = () => Date.now() - openedAt > STALE;

export function renew() {
  if (visit && isStale()) openAgain();
}

// An error while the context was read or the question sent: nobody must wait for a panel that does
// not come, and an answer to the question before must not land in this one's place.
export function giveUp() {
  question = null;
  clear();
  replacePanel("context");
}

// Before the page has loaded nothing is lost, for Chatwoot is asked again then. Afterwards a
// missing htmx stays missing.
export function complainWithoutHtmx() {
  if (document.readyState === "complete") replacePanel("script");
}

export function noteStart(ctx) {
  question = ctx;
}

// The agent has just signed in. If the session is still missing, the browser did not keep it.
on("panel:proven", () => visit && open(visit, false, { signed_in: 1 }));

// Not sooner: between the head of an answer and its place on the page its body is still read.
on("htmx:finally:request", ({ detail: { ctx } }) => {
  if (ctx === question) question = null;
});

// The server's threads all wait for others: the panel asks again a moment later.
on("htmx:after:swap", () => {
  if (isBusy()) setTimeout(() => isBusy() && openAgain(), BUSY);
});

const isBusy = () => panel().dataset.code === "busy";
