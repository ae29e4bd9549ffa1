// The visit: which panel is shown or awaited, and how it is opened.

import { askUntilAnswered } from "./bridge.js";
import { replacePanel } from "./failures.js";
import { find, isReady, meta, on, panel } from "./page.js";

const STALE = 20 * 60 * 1000; // well before the end of a seal's half hour
const UNSETTLED = ["waiting", "failed"];
const BUSY = 4000;

export let visit = null; // the context of the shown or awaited panel
export let fields = {}; // all fields that this question sent
let openedAt = 0;
let question = null; // the question under way: true at first, then htmx's context of its request
let retry = null;
let waiting = null; // a newer context of the shown visit, which waits for the end of a dialog

// Chatwoot's message opens a panel, unless that panel is shown or awaited already. While the agent verifies this very
// contact, a change in what Chatwoot knows of it waits: such a panel shows nobody as proven, and the server judges
// the agent's answer by its own reading of the contact.
export function show(context) {
  waiting = null;
  const same = visit && Object.keys(context).every((name) => context[name] === visit[name]);
  const settled = question || !UNSETTLED.includes(panel().dataset.panel);
  if (same && settled && !isStale()) return;
  if (isBeingVerified(context)) waiting = context;
  else open(context, same && isReady());
}

function isBeingVerified({ conversation, contact }) {
  return find(".verify[open]") && conversation === visit.conversation && contact === visit.contact;
}

function showWaiting() {
  if (waiting && !find(".verify[open]")) show(waiting);
}

// The end of a dialog: it was closed, or the answer in it was taken and the panel is drawn anew.
on("close", showWaiting, true);
on("htmx:after:swap", showWaiting);

// A panel of the same customer is morphed in place. The panel of another conversation is removed,
// so that late answers for it have no target. A panel that still loads is removed too: htmx would
// let the newer question wait for an element that the older answer replaces.
function open(context, morphs, more) {
  fields = { ...context, ...more, organization: (morphs && panel().dataset.organization) || 0 };
  if (!morphs && visit && (question || context.conversation !== visit.conversation)) clear();
  clearTimeout(retry);
  retry = null;
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

// Opens the panel after a pause, unless it is opened before. Returns false where such a pause runs already.
export function openAgainIn(milliseconds) {
  if (retry) return false;
  retry = setTimeout(() => {
    retry = null;
    openAgain();
  }, milliseconds);
  return true;
}

const isStale = () => Date.now() - openedAt > STALE;

export function renew() {
  if (visit && isStale()) openAgain();
}

// The context could not be read, or the question could not be sent. The agent must not wait for a panel
// that does not come, and a late answer to the previous question must not take its place.
export function giveUp() {
  question = null;
  clear();
  replacePanel("context");
}

export function noteStart(ctx) {
  question = ctx;
}

// The agent has just signed in. If the session is still missing, the browser did not keep it.
on("panel:proven", () => visit && open(visit, false, { signed_in: 1 }));

// The question ends here, and not earlier: the body of an answer is read after its head, before the swap.
on("htmx:finally:request", ({ detail: { ctx } }) => {
  if (ctx === question) question = null;
});

// The server has no free thread: the panel asks again a moment later.
on("htmx:after:swap", () => {
  if (isBusy()) setTimeout(() => isBusy() && openAgain(), BUSY);
});

const isBusy = () => panel().dataset.code === "busy";
