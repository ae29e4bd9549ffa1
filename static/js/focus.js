// The keyboard's place: where it goes on after what it stood in was replaced.

import { find, on } from "./page.js";

// A form that was sent is replaced. The keyboard goes on at the heading of what came.
on("htmx:config:request", ({ detail: { ctx } }) => {
  if (ctx.sourceElement.matches("form")) ctx.headingAfter = headingFor(ctx.sourceElement);
});

function headingFor(form) {
  const section = form.closest("[data-section]");
  return section ? `[data-section=${section.dataset.section}] h2` : "#panel :is(h1, .identity strong)";
}

on("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.headingAfter && document.activeElement === document.body) focusOn(find(ctx.headingAfter));
});

function focusOn(heading) {
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus();
}

// The agent opened it by hand. Elsewhere the keyboard is Chatwoot's, and stays with it.
on("toggle", ({ target }) => target.id === "change" && target.open && target.querySelector("input").focus(), true);
