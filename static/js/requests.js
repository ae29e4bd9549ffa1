// Requests: the fields that htmx sends, and the answers that may replace parts of the page.

import { ask } from "./bridge.js";
import { addNotice, replacePanel } from "./failures.js";
import { all, announceWord, isLive, isReady, on, ownerOf, panel } from "./page.js";
import { fields, noteStart, openAgainIn, visit } from "./visit.js";

// The launch key is only kept here: it leaves the address before htmx can send it anywhere.
const key = new URLSearchParams(location.hash.slice(1)).get("k") || "";
history.replaceState(null, "", location.pathname + location.search);
// A reload has lost the key. A first load without a key means that the registered address has none.
const isKeyless = !key && performance.getEntriesByType("navigation")[0]?.type === "navigate";

let proofs = 0; // consecutive new proofs that did not help

// The element that the answer replaces. The element that asked may have left the page meanwhile: a newer search
// replaces the results with their buttons.
const targetOf = ({ target, sourceElement }) => target || sourceElement;
const toContact = (request) => request.action.endsWith("/contact");

on("htmx:config:request", ({ detail: { ctx } }) => {
  const { request, sourceElement } = ctx;
  const { body, headers } = request;
  if (toContact(request) && sourceElement === panel()) noteStart(ctx);
  const proof = toContact(request) ? key : sourceElement.closest("[data-seal]")?.dataset.seal;
  if (proof) headers.Authorization = `Bearer ${proof}`;
  headers["Accept-Language"] = document.documentElement.lang; // not the browser's
  delete headers["HX-Current-URL"];
  // htmx adds every field inside the panel. Typed text, a token above all, must not be sent along.
  if (sourceElement === panel()) [...body.keys()].forEach((name) => name in fields || body.delete(name));
  if (toContact(request) && visit && !body.get("agent_email")) body.set("agent_email", visit.agent_email);
  if (toContact(request) && isKeyless) body.set("keyless", 1);
  if (sourceElement.id === "attention") body.set("failed", describeFailures());
  ctx.sentFor = ownerOf(targetOf(ctx));
});

// Names the sections that are shown as failed. The cache forgets a failure while the screen still shows it, and the
// failure of a refresh at once.
function describeFailures() {
  const failed = all("[data-section]:is([data-state=failed], :has(.cause))");
  return failed.map(({ dataset }) => `${dataset.section}:${dataset.code}:${dataset.state}`).join(",");
}

// Morphing keeps the elements, so an answer about another organization, or one from before the trust
// changed, must not be swapped into them. Only our own HTML may be swapped: no proxy's page, no JSON.
on("htmx:before:response", (event) => {
  const { ctx } = event.detail;
  const { status, headers } = ctx.response;
  if (status === 204) return;
  const isOurs = headers.get("X-Panel") === "1";
  const isAwaited = !ctx.sentFor || ownerOf(targetOf(ctx)) === ctx.sentFor;
  if (isOurs && isAwaited && status !== 401) return accept(headers);
  event.preventDefault();
  if (status === 401) proveAgain(ctx.sourceElement);
  else if (!isOurs) reportLoss(ctx, `http_${status}`, headers.get("X-Request-Id"));
});

// An opening may be answered in another language than the page's.
function accept(headers) {
  proofs = 0;
  document.documentElement.lang = headers.get("Content-Language") || document.documentElement.lang;
}

// A request is not lost where its element has left the page, or where htmx aborted it for a newer one.
export function isLost(ctx, error) {
  if (!ctx?.request || !ctx.sourceElement.isConnected) return false;
  return error?.name !== "AbortError" || ctx.request.signal.reason === "timeout";
}

on("htmx:error", ({ detail: { ctx, error } }) => {
  if (isLost(ctx, error)) reportLoss(ctx, "network");
});

function reportLoss({ request, sourceElement }, code, id) {
  if (toContact(request) && !isReady()) replacePanel(code, id);
  else if (!isLive(sourceElement)) addNotice(sourceElement, code, id);
}

// The seal is no longer valid. The panel is opened anew with a fresh one, once for all requests that were
// refused meanwhile, and after longer and longer pauses if that does not help. Chatwoot is asked too, for the
// contact may have been merged.
function proveAgain(element) {
  if (element.closest("form")) announceWord("again");
  const isFirst = openAgainIn(proofs ? Math.min(60, 2 ** proofs) * 1000 : 100);
  if (!isFirst) return;
  proofs += 1;
  ask();
}
