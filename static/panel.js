// The bridge to Chatwoot, the visibility clock, ages, copying. Everything else is htmx.
(() => {
  "use strict";

  const ASK = "chatwoot-dashboard-app:fetch-info"; // exactly this string (contracts/chatwoot.md §1.4)
  const ASK_AT = [0, 250, 1000, 3000];
  const SILENCE = 8000;
  const STALE = 20 * 60 * 1000; // well before a seal's half hour ends
  const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;
  const framed = window.parent !== window;
  const panel = () => document.getElementById("panel");

  // The launch key lives here only: out of the address before htmx can send it anywhere.
  const key = new URLSearchParams(location.hash.slice(1)).get("k") || "";
  history.replaceState(null, "", location.pathname + location.search);

  let visit = null; // what the shown or awaited panel was asked for
  let since = 0;
  let timers = [];

  // -- the bridge ---------------------------------------------------------------------------

  function ask() {
    if (framed) window.parent.postMessage(ASK, "*");
    else if (window.ReactNativeWebView) window.ReactNativeWebView.postMessage(ASK);
  }

  function askUntilAnswered() {
    timers.forEach(clearTimeout);
    timers = ASK_AT.map((wait) => setTimeout(ask, wait));
    timers.push(setTimeout(() => panel().classList.add("unanswered"), SILENCE));
  }

  // In a browser the parent speaks, from an origin that we were told; in Chatwoot's mobile app there
  // is no parent, and the message comes from this page itself (contracts §1.6).
  function isChatwoot(event) {
    if (!framed) return event.source === window && event.origin === location.origin;
    const origins = meta("panel-origins").split(" ");
    return event.source === window.parent && origins.includes(event.origin);
  }

  function contextOf(event) {
    try {
      const message = typeof event.data === "string" ? JSON.parse(event.data) : null;
      return message && message.event === "appContext" ? message.data : null;
    } catch {
      return null;
    }
  }

  window.addEventListener("message", (event) => {
    const context = isChatwoot(event) && contextOf(event);
    if (!context || !context.conversation) return;
    timers.forEach(clearTimeout);
    if (context.theme) document.documentElement.dataset.theme = context.theme;
    const sender = (context.conversation.meta || {}).sender || {};
    const agent = context.currentAgent || {};
    show({
      conversation: context.conversation.id,
      contact: (context.contact || {}).id || sender.id,
      account: context.conversation.account_id,
      agent_id: agent.id,
      agent_email: agent.email || "",
    });
  });

  // -- the panel ----------------------------------------------------------------------------

  function show(asked) {
    const known = visit && Object.keys(asked).every((name) => asked[name] === visit[name]);
    const standing = panel().dataset.panel;
    if (known && standing !== "failed" && Date.now() - since < STALE) return;
    open(asked, known && standing === "ready" ? "outerMorph" : "outerHTML");
  }

  // A panel of the same conversation is morphed in place; for another one the old is thrown away,
  // so that answers still under way for it find nothing to land in.
  function open(asked, swap) {
    const ready = swap === "outerMorph";
    const values = { ...asked, organization: (ready && panel().dataset.organization) || 0 };
    if (!ready && visit && asked.conversation !== visit.conversation) clear();
    visit = asked;
    since = Date.now();
    window.htmx.ajax("POST", meta("panel-root") + "contact", { target: "#panel", source: "#panel", swap, values });
  }

  function clear() {
    const waiting = document.createElement("main");
    waiting.id = "panel";
    waiting.dataset.panel = "waiting";
    panel().dispatchEvent(new CustomEvent("htmx:abort"));
    panel().replaceWith(waiting);
  }

  function again() {
    if (visit) open(visit, panel().dataset.panel === "ready" ? "outerMorph" : "outerHTML");
    else askUntilAnswered();
  }

  // -- what leaves --------------------------------------------------------------------------

  document.addEventListener("htmx:config:request", (event) => {
    const { request, sourceElement } = event.detail.ctx;
    const toContact = request.action.endsWith("/contact");
    const sealed = sourceElement.closest("[data-seal]");
    const proof = toContact ? key : sealed && sealed.dataset.seal;
    if (proof) request.headers.Authorization = `Bearer ${proof}`;
    delete request.headers["HX-Current-URL"];
    if (toContact && visit && !request.body.get("agent_email")) request.body.set("agent_email", visit.agent_email);
    if (sourceElement.id === "live") request.body.set("seen", shown());
  });

  // A seal that no longer holds: prove ourselves anew, but not in a circle.
  document.addEventListener("htmx:after:request", (event) => {
    const { response } = event.detail.ctx;
    if (response && response.status === 401 && Date.now() - since > 5000) again();
  });

  // -- the visibility clock: only a visible panel asks what has changed ------------------------

  let wait = 15;
  let clock = null;

  function shown() {
    return [...panel().querySelectorAll("[data-section][data-version]")]
      .map((section) => `${section.dataset.section}:${section.dataset.version}`).join(",");
  }

  function tick() {
    clearTimeout(clock);
    if (document.hidden) return;
    const live = document.getElementById("live");
    if (live) live.dispatchEvent(new CustomEvent("panel:ask"));
    clock = setTimeout(tick, wait * 1000);
  }

  document.addEventListener("htmx:after:request", (event) => {
    const next = event.detail.ctx.response && event.detail.ctx.response.headers.get("X-Panel-Next");
    if (Number(next) > 0) wait = Number(next);
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    ask();
    if (visit && Date.now() - since > STALE) again();
    tick();
  });

  // -- ages and copying ---------------------------------------------------------------------

  const STEPS = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [Infinity, "day", 86400]];

  function agesAgain() {
    const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
    for (const age of document.querySelectorAll("time[data-age]")) {
      const seconds = Math.max(1, (Date.now() - Date.parse(age.dateTime)) / 1000);
      const [, unit, size] = STEPS.find(([limit]) => seconds < limit);
      age.textContent = words.format(-Math.floor(seconds / size), unit);
    }
  }

  // The async clipboard is blocked in Chatwoot's frame (contracts §1.3): select and copy.
  function copy(text) {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "quiet";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    if (!button) return;
    if (button.dataset.action === "ask") {
      panel().classList.remove("unanswered");
      again();
    }
    if (button.dataset.action === "copy") {
      const done = copy(button.dataset.copy);
      button.focus();
      const words = document.getElementById("words").dataset;
      button.dataset.said = document.getElementById("said").textContent = done ? words.copied : words.notCopied;
      setTimeout(() => delete button.dataset.said, 2000);
    }
  });

  window.addEventListener("load", askUntilAnswered);
  setInterval(agesAgain, 15000);
  clock = setTimeout(tick, wait * 1000);
})();
