// The start: Chatwoot's message opens the panel. All other requests are htmx's.

import "./names.js";
import "./focus.js";
import "./uncover.js";
import "./news.js";
import "./copying.js";
import "./rows.js";
import "./ages.js";
import "./shortcuts.js";
import "./arrangement.js";
import "./requests.js";
import { askUntilAnswered, readMessage, stopAsking } from "./bridge.js";
import { noteMove } from "./clock.js";
import { readContext } from "./context.js";
import { on, panel } from "./page.js";
import { complainWithoutHtmx, giveUp, openAgain, show } from "./visit.js";

addEventListener("message", (event) => {
  const context = readMessage(event);
  if (!context?.conversation) return;
  if (!window.htmx) return complainWithoutHtmx();
  try {
    noteMove();
    stopAsking();
    show(readContext(context));
  } catch {
    giveUp();
  }
});

on("click", ({ target }) => {
  if (!target.closest("[data-action=ask]")) return;
  panel().classList.remove("unanswered");
  openAgain();
});

addEventListener("load", askUntilAnswered);
