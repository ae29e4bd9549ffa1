// Copying: a button's text goes to the clipboard, and the button says so for a moment.

import { announceWord, find, meta, on } from "./page.js";

const SHOWN = 2000;
let unmarking = null;

// Chatwoot's frame lacks `allow="clipboard-write"`, which blocks the newer way of copying. Text
// outside an open dialog cannot be selected.
function copy(text, place) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "quiet";
  place.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  return copied;
}

// The texts to copy of a row are loaded only when the agent opens the dialog.
function askCopies(row) {
  const { section } = row.closest("[data-section]").dataset;
  const address = `${meta("root")}copies/${section}/${row.closest("[data-row]").dataset.row}`;
  row.focus();
  htmx.ajax("GET", address, { target: "#copies", source: row, swap: "innerHTML" });
}

// In a dialog, copying a text closes it: then the row tells that it was copied.
function copyFrom(button) {
  const dialog = button.closest("dialog");
  const isCopied = copy(button.dataset.copy, dialog || document.body);
  button.focus();
  if (dialog && isCopied) dialog.close();
  const place = button.checkVisibility() ? button : document.activeElement;
  place.dataset.said = announceWord(isCopied ? "copied" : "notCopied");
  clearTimeout(unmarking);
  unmarking = setTimeout(() => delete place.dataset.said, SHOWN);
}

on("click", ({ target }) => {
  const button = target.closest("[data-action=copies], [data-action=copy]");
  if (button) button.dataset.action === "copy" ? copyFrom(button) : askCopies(button);
});
on("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.sourceElement.matches("[data-action=copies]")) find("#copies").showModal();
});
