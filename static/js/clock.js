// The visibility clock: only a visible panel asks the server what has changed.

import { ask, readMessage } from "./bridge.js";
import { all, find, isLive, on } from "./page.js";
import { isLost } from "./requests.js";
import { giveBack } from "./room.js";
import { renew } from "./visit.js";

// The server says how soon to ask again: sooner while the agent is active here.
const SOON = 1.5;
const LATE = 15;
const IDLE = 300 * 1000; // below this, the server's answer does not depend on it
let wait = SOON;
let timer = null;
let askedAt = 0;
let movedAt = Date.now();
let isInView = true; // Chatwoot hides our tab by `display`: the document stays "visible" then

// The parameters of the live question. A section that is loading is left out: its own answer comes.
function describeShown() {
  const settled = "[data-section]:not([data-state=loading], .htmx-request, :has(.htmx-request))";
  const seen = all(settled).map(({ dataset }) => `${dataset.section}:${dataset.version || ""}`);
  return { seen: seen.join(","), idle: Math.floor((Date.now() - movedAt) / 1000) };
}

function tick() {
  clearTimeout(timer);
  if (document.hidden || !isInView) return;
  find("#live")?.dispatchEvent(new CustomEvent("panel:ask"));
  askedAt = Date.now();
  askIn(wait);
}

function askIn(seconds) {
  wait = seconds;
  clearTimeout(timer);
  timer = setTimeout(tick, wait * 1000);
}

const askLater = () => askIn(Math.min(LATE, 2 * wait));

// The answer to the live question names the time of the next. News in it counts as activity.
function setClock(headers) {
  if (headers.get("HX-Trigger")) movedAt = Date.now();
  const seconds = Number(headers.get("X-Panel-Next"));
  seconds ? askIn(seconds) : askLater();
}

// The agent is active again: after a long rest the panel asks at once.
function noteMove() {
  const idle = Date.now() - movedAt;
  movedAt = Date.now();
  if (idle > IDLE && movedAt - askedAt > SOON * 1000) tick();
}

function comeBack() {
  if (document.hidden || !isInView) return;
  ask();
  movedAt = Date.now();
  renew();
  tick();
}

for (const sign of ["pointermove", "pointerdown", "wheel", "keydown"]) {
  on(sign, noteMove, true);
}

on("visibilitychange", comeBack);
new IntersectionObserver((entries) => {
  const wasInView = isInView;
  isInView = entries.at(-1).isIntersecting;
  if (isInView && !wasInView) comeBack();
  if (!isInView) giveBack(); // nobody sees what moves
}).observe(document.documentElement);

on("htmx:config:request", ({ detail: { ctx } }) => {
  if (!isLive(ctx.sourceElement)) return;
  Object.entries(describeShown()).forEach((pair) => ctx.request.body.set(...pair));
});

on("htmx:before:response", ({ detail: { ctx } }) => {
  if (isLive(ctx.sourceElement)) setClock(ctx.response.headers);
});

on("htmx:error", ({ detail: { ctx, error } }) => {
  if (isLost(ctx, error) && isLive(ctx.sourceElement)) askLater();
});

addEventListener("message", (event) => readMessage(event)?.conversation && noteMove());

askIn(wait);
