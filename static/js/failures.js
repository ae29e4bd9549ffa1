// Failures: the words of the panel where no answer of ours came.

import { keepPlace } from "./focus.js";
import { copyOf, panel } from "./page.js";

function fillTemplate(template, code, id) {
  const words = copyOf(template);
  words.querySelector("[data-lost]").textContent = id ? `${code} · ${id}` : code;
  return words;
}

// Replaces the whole panel. `id`: the id of the request, by which an administrator finds it in the
// log.
export function replacePanel(code, id) {
  keepPlace(() => panel().replaceWith(fillTemplate("#lost", code, id)));
}

// Adds a notice to the section that asked, or at the panel's top; once for each place. An opened
// row has a notice of its own, so that the rows above it do not move.
export function addNotice(element, code, id) {
  const details = element.closest(".details");
  if (details) return details.replaceChildren(fillTemplate("#lost-part", code, id));
  const section = element.closest("[data-section]");
  const place = section || panel();
  if (place.querySelector("[data-lost-part]")) return;
  if (section?.dataset.state === "loading") endLoading(section, code);
  const notice = fillTemplate("#lost-part", code, id);
  section ? section.querySelector("header").after(notice) : place.prepend(notice);
}

function endLoading(section, code) {
  section.dataset.state = "failed";
  section.dataset.code = code;
  section.querySelector(".skeleton").remove();
}
