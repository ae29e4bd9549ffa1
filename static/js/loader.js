// The loader of the rest: the second script and the second stylesheet. They are loaded once the panel is whole, so
// that they delay no first screen. What an agent does before that waits for them, and is done then.

import { addNotice } from "./failures.js";
import { find, meta, on } from "./page.js";

const LOADING = "[data-state=loading], .htmx-request:not(#live)";
const UNFINISHED = `${LOADING}, [data-waiting]`; // the head asks what needs a word a little after the sections
const ACTIONS = ["open", "copies", "copy", "reveal", "verify", "why", "fold", "arrange", "shortcuts"];
const NEEDING = ["summary", ...ACTIONS.map((action) => `[data-action=${action}]`)].join();
const KEYS = "rn/?";
export const REFRESHING = "[data-action^=refresh], [data-action=retry]";
const LATEST = 10000;
let loading = null; // the promise of both files, from the first wish for them on
let isLoaded = false;
let hasRefreshed = false; // a refresh needs no second script, which says later that it brought no news
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

// htmx takes its class from the element that asked only after this event; the microtask comes behind that. The head's
// own answer may name a section as still being read that a hook touched meanwhile: only the second script asks for that.
on("htmx:finally:request", ({ detail: { ctx } }) => {
  const unfinished = ctx.sourceElement.id === "attention" ? LOADING : UNFINISHED;
  queueMicrotask(() => find(unfinished) || loadQuietly());
});
setTimeout(loadQuietly, LATEST); // some part of the panel may never end
