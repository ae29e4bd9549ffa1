// Shortcuts: single keys while the focus is in the panel. Chatwoot's own shortcuts are combinations
// with Alt, Ctrl or Cmd, which are never taken. An agent who dictates or mistypes can switch them
// off.

import { goOnAt } from "./focus.js";
import { all, find, meta, on } from "./page.js";

const SETTING = "middag-shortcuts";
const TAKEN = "input, select, textarea, dialog"; // in these, a key writes or belongs to the dialog
const SHORTCUTS = { r: refresh, "/": search, n: goToNextSection, "?": explain };
let isOn = readChoice();

function refresh() {
  find("[data-action=refresh-all], #panel [data-action=ask]")?.click();
}

function search() {
  const change = find("#change");
  if (change) change.open = true;
  find("#query")?.focus();
}

function goToNextSection() {
  const sections = all("[data-section]");
  const here = sections.indexOf(document.activeElement.closest("[data-section]"));
  goOnAt(sections[(here + 1) % sections.length]?.querySelector("h2"));
}

// The dialog's words are loaded anew each time, for the page may have changed its language.
async function explain() {
  const dialog = find("#shortcuts");
  await htmx.ajax("GET", `${meta("root")}dialogs/shortcuts`, { target: dialog, source: dialog, swap: "innerHTML" });
  if (!dialog.firstChild) return;
  dialog.querySelector("input").checked = isOn;
  dialog.showModal();
}

// A browser without storage for a frame of another site remembers the choice until the page ends.
function readChoice() {
  try {
    return localStorage.getItem(SETTING) !== "off";
  } catch {
    return true;
  }
}

function keepChoice(wanted) {
  isOn = wanted;
  try {
    localStorage.setItem(SETTING, wanted ? "on" : "off");
  } catch {
    return; // there is no storage
  }
}

on("keydown", (event) => {
  const { key, ctrlKey, metaKey, altKey, target } = event;
  const act = !(ctrlKey || metaKey || altKey || target.closest(TAKEN)) && SHORTCUTS[key];
  if (!act || !isOn) return;
  event.preventDefault();
  act();
});

on("click", ({ target }) => {
  if (target.closest("[data-action=shortcuts]")) explain();
});
on("change", ({ target }) => {
  if (target.closest("#shortcuts")) keepChoice(target.checked);
});

// What the head opened over the page closes as a dialog does, also while the search has words.
on("keydown", ({ key, target }) => {
  const opened = key === "Escape" && target.closest(".drop")?.parentElement;
  if (!opened) return;
  opened.open = false;
  opened.querySelector("summary").focus();
});
