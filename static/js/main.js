// The start: Chatwoot's message opens the panel. All other requests are htmx's.

import "./names.js";
import "./focus.js";
import "./requests.js";
import "./loader.js";
import "./room.js";
import { askUntilAnswered, readMessage, stopAsking } from "./bridge.js";
import { readContext } from "./context.js";
import { on, panel } from "./page.js";
import { giveUp, openAgain, show } from "./visit.js";

addEventListener("message", (event) => {
  const context = readMessage(event);
  if (!context?.conversation) return;
  try {
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

document.documentElement.classList.add("scripted");
addEventListener("load", askUntilAnswered);
