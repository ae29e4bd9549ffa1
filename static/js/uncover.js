// The question before something is uncovered. It is the same everywhere, and stands in the shell.

import { copyOf, find, on } from "./page.js";

// A modal dialog takes the focus, gives it back, and closes by Escape, all by itself.
function openDialog(button) {
  const section = button.closest("section");
  const dialog = section.querySelector("dialog");
  if (!dialog.firstChild) fill(dialog, section.dataset.section);
  dialog.showModal();
}

function fill(dialog, section) {
  dialog.append(copyOf("#uncover"));
  const form = dialog.firstElementChild;
  form.querySelector("strong").textContent = dialog.getAttribute("aria-label");
  form.elements.section.value = section;
  htmx.process(form);
}

on("click", ({ target }) => {
  const button = target.closest("[data-action=reveal]");
  if (button) openDialog(button);
  else if (target.closest("[data-action=close]")) target.closest("dialog").close();
});

// The question who is writing comes from the server when somebody wants it. What was wrong with an
// answer comes into the open dialog, and takes the place of the field that had the focus.
on("htmx:after:swap", ({ detail: { ctx } }) => {
  const dialog = find(".verify");
  if (!dialog?.firstChild) return;
  if (!dialog.open && ctx.sourceElement.dataset.action === "verify") dialog.showModal();
  if (dialog.open && document.activeElement === document.body) find("#answer:enabled, [name=called]")?.focus();
});
