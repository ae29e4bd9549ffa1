// Copying: a button's text goes to the clipboard, and the button says so for a moment.

import { announceWord, on } from "./page.js";

const SHOWN = 2000;
let unmarking = null;

// Chatwoot's frame lacks `allow="clipboard-write"`, which blocks the newer way of copying.
function copy(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "quiet";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  return copied;
}

on("click", ({ target }) => {
  const button = target.closest("[data-action=copy]");
  if (!button) return;
  const copied = copy(button.dataset.copy);
  button.focus();
  button.dataset.said = announceWord(copied ? "copied" : "notCopied");
  clearTimeout(unmarking);
  unmarking = setTimeout(() => delete button.dataset.said, SHOWN);
});
