// The dialog before a value is uncovered. It is the same for all sections, and part of the shell.

import { copyOf, find, on } from "./page.js";

// A modal dialog takes the focus, gives it back, and closes by Escape without any script.
function openDialog(button) {
  const dialog = button.nextElementSibling;
  if (!dialog.firstChild) fill(dialog, button.closest("section").dataset.section);
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

// The dialog to verify a person is loaded from the server on request. A refused answer is shown in
// the open dialog, and replaces the field that had the focus.
on("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.sourceElement.dataset.action === "why") find("#why").showModal();
  const dialog = find(".verify");
  if (!dialog?.firstChild) return;
  if (!dialog.open && ctx.sourceElement.dataset.action === "verify") dialog.showModal();
  if (dialog.open && document.activeElement === document.body) find("#answer:enabled, [name=called]")?.focus();
});
