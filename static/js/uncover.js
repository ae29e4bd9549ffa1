// The dialog before a value is uncovered. Its content is loaded when an agent asks for it.

import { find, meta, on } from "./page.js";

// A modal dialog takes the focus, gives it back, and closes by Escape without any script.
function askReason(button) {
  button.focus();
  const target = button.nextElementSibling;
  htmx.ajax("GET", `${meta("root")}dialogs/uncover`, { target, source: button, swap: "innerHTML" });
}

function showQuestion(dialog) {
  dialog.querySelector("strong").textContent = dialog.getAttribute("aria-label");
  dialog.querySelector("[name=section]").value = dialog.closest("[data-section]").dataset.section;
  dialog.showModal();
}

on("click", ({ target }) => {
  const button = target.closest("[data-action=reveal]");
  if (button) askReason(button);
  else if (target.closest("[data-action=close]")) target.closest("dialog").close();
});

// The dialog to verify a person is loaded from the server on request. A refused answer is shown in
// the open dialog, and replaces the field that had the focus.
on("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.sourceElement.matches("[data-action=reveal]")) showQuestion(ctx.sourceElement.nextElementSibling);
  if (ctx.sourceElement.dataset.action === "why") find("#why").showModal();
  const dialog = find(".verify");
  if (!dialog?.firstChild) return;
  if (!dialog.open && ctx.sourceElement.dataset.action === "verify") dialog.showModal();
  if (dialog.open && document.activeElement === document.body) find("#answer:enabled, [name=called]")?.focus();
});
