// The loader of the rest: the second script and the second stylesheet. They are loaded once the panel is whole, so
// that they delay no first screen. What an agent does before that waits for them, and is done then.

import { addNotice } from "./failures.js";
import { find, meta, on } from "./page.js";

const LOADING = "[data-state=loading], .htmx-request:not(#live)";
const UNFINISHED = `${LOADING}, [data-waiting]`; // waiting: the request for the lines of the head comes a little later
const ACTIONS = ["open", "copies", "copy", "reveal", "verify", "why", "fold", "arrange", "shortcuts"];
const NEEDING = ["summary", ...ACTIONS.map((action) => `[data-action=${action}]`)].join();
const KEYS = "rn/?";
export const REFRESHING = "[data-action^=refresh], [data-action=retry]";
const LATEST = 10000;
let loading = null; // the promise of both files, from the first request for them on
let isLoaded = false;
let hasRefreshed = false; // for the second script, which announces it where a refresh brought no news
export const wasRefreshed = () => hasRefreshed;

function addElement(name, properties) {
  return new Promise((onload, onerror) => {
    document.head.append(Object.assign(document.createElement(name), properties, { onload, onerror }));
  });
}

// The script comes last: it runs once, however often a file could not be loaded before.
async function loadFiles() {
  await addElement("link", { rel: "stylesheet", href: meta("rest-style") });
  await addElement("script", { src: meta("rest-script") });
  isLoaded = true;
  find("html").dataset.isWhole = "";
}

function loadRest() {
  loading ??= loadFiles().catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

function postpone(event, act) {
  event.preventDefault();
  event.stopImmediatePropagation();
  loadRest().then(act, () => addNotice(event.target, "network"));
}

on("click", (event) => {
  hasRefreshed ||= event.target.closest(REFRESHING);
  const button = !isLoaded && event.target.closest(NEEDING);
  if (button) postpone(event, () => button.click());
}, true);

on("keydown", (event) => {
  const { key, target, ctrlKey, metaKey, altKey } = event;
  if (isLoaded || !KEYS.includes(key) || ctrlKey || metaKey || altKey || target.closest("input")) return;
  postpone(event, () => target.dispatchEvent(new KeyboardEvent("keydown", event)));
}, true);

const loadQuietly = () => loadRest().catch(() => {}); // the next event tries again

// After this event htmx removes its class from the element that sent the request; the microtask comes after that. The
// answer for the head may call a section unfinished that a hook touched meanwhile. Only the second script requests that
// section, so such an answer must not delay the second script.
on("htmx:finally:request", ({ detail: { ctx } }) => {
  const unfinished = ctx.sourceElement.id === "attention" ? LOADING : UNFINISHED;
  queueMicrotask(() => find(unfinished) || loadQuietly());
});
setTimeout(loadQuietly, LATEST); // some part of the panel may never end
