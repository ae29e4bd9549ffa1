// What the panel shows where no answer of ours came.

import { keepPlace } from "./focus.js";
import { copyOf, panel } from "./page.js";

function fillTemplate(template, code, id) {
  const words = copyOf(template);
  words.querySelector("[data-lost]").textContent = id ? `${code} · ${id}` : code;
  return words;
}

// In place of the whole panel. `id`: of the request, for whoever reads the log.
export function replacePanel(code, id) {
  keepPlace(() => panel().replaceWith(fillTemplate("#lost", code, id)));
}

// Beside what stands, in the section that asked or at the panel's top; once for each place. An
// opened row holds its own, so that nothing above it moves.
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
