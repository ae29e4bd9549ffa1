// The bridge to Chatwoot: asks which conversation is open, and hears the answer.

import { meta, panel } from "./page.js";

const QUESTION = "chatwoot-dashboard-app:fetch-info"; // Chatwoot's Frame.vue knows this text only
const ASK_AT = [0, 250, 1000, 3000];
const SILENCE = 8000;
const isFramed = parent !== window;
let timers = [];

export function ask() {
  if (isFramed) parent.postMessage(QUESTION, "*");
  else window.ReactNativeWebView?.postMessage(QUESTION);
}

export function askUntilAnswered() {
  stopAsking();
  timers = ASK_AT.map((wait) => setTimeout(ask, wait));
  timers.push(setTimeout(() => panel().classList.add("unanswered"), SILENCE));
}

export function stopAsking() {
  timers.forEach(clearTimeout);
}

// Reads a message of Chatwoot about the open conversation; returns null for any other message. In a
// browser the message comes from the parent, with an origin that the server named. Chatwoot's
// mobile app shows the panel without a parent, and its message comes from this page itself.
export function readMessage({ source, origin, data }) {
  const origins = isFramed ? meta("origins").split(" ") : [location.origin];
  if (source !== parent || !origins.includes(origin)) return null;
  try {
    const message = JSON.parse(data);
    return message.event === "appContext" && message.data;
  } catch {
    return null; // the message is not Chatwoot's
  }
}
