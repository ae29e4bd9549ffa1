// The bridge to Chatwoot, the visibility clock, ages, copying. Everything else is htmx.
(() => {
  "use strict";

  const ASK = "chatwoot-dashboard-app:fetch-info"; // exactly this string (contracts/chatwoot.md §1.4)
  const ASK_AT = [0, 250, 1000, 3000];
  const SILENCE = 8000;
  const OURS = "middag_organization_id";
  const STALE = 20 * 60 * 1000; // well before a seal's half hour ends
  const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;
  const framed = window.parent !== window;
  const panel = () => document.getElementById("panel");

  // The launch key lives here only: out of the address before htmx can send it anywhere.
  const key = new URLSearchParams(location.hash.slice(1)).get("k") || "";
  history.replaceState(null, "", location.pathname + location.search);

  let visit = null; // what the shown or awaited panel was asked for
  let told = {}; // all that was said to ask for it
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
    if (!window.htmx) return tooEarly();
    stir();
    timers.forEach(clearTimeout);
    if (context.theme) document.documentElement.dataset.theme = context.theme;
    const about = context.conversation.meta || {};
    const who = (context.contact || {}).id ? context.contact : about.sender || {};
    const agent = context.currentAgent || context.current_agent || {}; // mobile: snake case, deeply
    show({
      conversation: context.conversation.id,
      contact: who.id,
      account: context.conversation.account_id,
      agent_id: agent.id,
      agent_email: agent.email || "",
      customer: customer(who, context.conversation.custom_attributes, about.hmac_verified),
    });
  });

  // All that decides who the customer is: where it is what the server has read a moment ago, it
  // need not ask Chatwoot again (`identity.customer`); where it changes, the panel opens anew.
  function customer(who, attributes, signed) {
    const claims = [attributes, who.custom_attributes].map((each) => (each || {})[OURS]);
    return [who.id, who.email, who.phone_number, who.identifier, ...claims, signed ? 1 : ""].join("\t");
  }

  // -- the panel ----------------------------------------------------------------------------

  const SETTLED = ["ready", "choose", "unlinked", "denied"];
  let asking = false;

  function show(asked) {
    const known = visit && Object.keys(asked).every((name) => asked[name] === visit[name]);
    const standing = panel().dataset.panel;
    const settled = asking || SETTLED.includes(standing);
    if (known && settled && Date.now() - since < STALE) return;
    const here = visit && asked.conversation === visit.conversation && asked.contact === visit.contact;
    open(asked, here && standing === "ready" ? "outerMorph" : "outerHTML");
  }

  // A panel of the same conversation is morphed in place; for another one the old is thrown away,
  // so that answers still under way for it find nothing to land in.
  function open(asked, swap, more = {}) {
    const ready = swap === "outerMorph";
    const values = told = { ...asked, ...more, organization: (ready && panel().dataset.organization) || 0 };
    if (!ready && visit && asked.conversation !== visit.conversation) clear();
    clearTimeout(proving);
    visit = asked;
    since = Date.now();
    asking = true;
    window.htmx.ajax("POST", meta("panel-root") + "contact", { target: "#panel", source: "#panel", swap, values });
  }

  // Before the page has loaded nothing is lost: we ask anew then. After that, htmx never came.
  function tooEarly() {
    if (document.readyState === "complete") fail("script");
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

  // The agent has just signed in: a session that is still missing was not kept by the browser.
  document.addEventListener("panel:proven", () => visit && open(visit, "outerHTML", { signed_in: 1 }));

  // -- what leaves, and what may land ---------------------------------------------------------

  const toContact = (request) => request.action.endsWith("/contact");
  const owner = (element) => ((element.closest("[data-for]") || {}).dataset || {}).for;

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    const { request, sourceElement } = ctx;
    const sealed = sourceElement.closest("[data-seal]");
    const proof = toContact(request) ? key : sealed && sealed.dataset.seal;
    if (proof) request.headers.Authorization = `Bearer ${proof}`;
    delete request.headers["HX-Current-URL"];
    // htmx adds every field inside the panel: what was typed there, a token above all, stays here.
    if (sourceElement === panel()) [...request.body.keys()].filter((name) => !(name in told)).forEach((name) => request.body.delete(name));
    if (toContact(request) && visit && !request.body.get("agent_email")) request.body.set("agent_email", visit.agent_email);
    if (sourceElement.matches("form")) acted = placeOf(sourceElement);
    if (sourceElement.id === "live") {
      request.body.set("seen", shown());
      request.body.set("idle", Math.floor((Date.now() - stirred) / 1000));
    }
    ctx.sentFor = owner(sourceElement);
  });

  // Morphing keeps the elements: what was asked for another organization, or before the trust
  // changed, must not land in them. And only our own fragments may: no proxy's page, no JSON.
  document.addEventListener("htmx:before:response", (event) => {
    const { ctx } = event.detail;
    const { status, headers } = ctx.response;
    if (toContact(ctx.request)) asking = false;
    if (ctx.sourceElement.id === "live") {
      if (headers.get("HX-Trigger")) stirred = Date.now();
      askIn(Number(headers.get("X-Panel-Next")) || Math.min(LATE, 2 * wait));
    }
    if (status === 204) return;
    if (status === 401) event.preventDefault(), proveAgain(ctx);
    else if (headers.get("X-Panel") !== "1") event.preventDefault(), lose(ctx, `http_${status}`);
    else if (ctx.sentFor && owner(ctx.sourceElement) !== ctx.sentFor) event.preventDefault();
    else tries = 0;
  });

  document.addEventListener("htmx:error", (event) => {
    const { ctx } = event.detail;
    if (!ctx || !ctx.request || !ctx.sourceElement.isConnected) return;
    if (event.detail.error && event.detail.error.name === "AbortError" && ctx.request.signal.reason !== "timeout") return;
    if (toContact(ctx.request)) asking = false;
    if (ctx.sourceElement.id === "live") askIn(Math.min(LATE, 2 * wait));
    lose(ctx, "network");
  });

  // A seal that no longer holds: prove ourselves anew, ever more slowly if that does not help.
  let tries = 0;
  let proving = null;

  function proveAgain(ctx) {
    if (ctx.sourceElement.closest("form")) say("again");
    clearTimeout(proving);
    ask(); // the contact may have been merged into another: Chatwoot knows
    proving = setTimeout(again, tries ? Math.min(60, 2 ** tries) * 1000 : 100);
    tries += 1;
  }

  function lost(template, code) {
    const words = document.getElementById(template).content.cloneNode(true);
    words.querySelector("[data-lost]").textContent = code;
    return words;
  }

  function fail(code) {
    panel().replaceWith(lost("lost", code));
  }

  // No answer of ours came: say so where it was awaited, and leave what stands.
  function lose(ctx, code) {
    const section = ctx.sourceElement.closest("[data-section]");
    if (toContact(ctx.request) && panel().dataset.panel !== "ready") return fail(code);
    const words = lost("lost-part", code);
    const place = section || panel();
    if (ctx.sourceElement.id === "live" || place.querySelector("[data-lost-part]")) return;
    if (section && section.dataset.state === "loading") {
      section.dataset.state = "failed";
      section.dataset.code = code;
      section.querySelectorAll(".skeleton").forEach((bones) => bones.remove());
    }
    section ? section.querySelector("header").after(words) : place.prepend(words);
  }

  // -- the visibility clock: only a visible panel asks what has changed ------------------------

  // How soon to ask again is the server's to say: sooner while there are signs of life.
  const SOON = 1.5;
  const LATE = 15;
  const IDLE = 300 * 1000; // up to here the server's answer does not depend on it
  let wait = SOON;
  let clock = null;
  let askedAt = 0;
  let stirred = Date.now();
  let inView = true; // Chatwoot hides our tab by display: the document stays "visible" then

  // What is under way will say by itself what it is.
  function shown() {
    return [...panel().querySelectorAll("[data-section]:not([data-state=loading], .htmx-request, :has(.htmx-request))")]
      .map((section) => `${section.dataset.section}:${section.dataset.version || ""}`).join(",");
  }

  function tick() {
    clearTimeout(clock);
    if (document.hidden || !inView) return;
    const live = document.getElementById("live");
    if (live) live.dispatchEvent(new CustomEvent("panel:ask"));
    askedAt = Date.now();
    askIn(wait);
  }

  function askIn(seconds) {
    wait = seconds;
    clearTimeout(clock);
    clock = setTimeout(tick, wait * 1000);
  }

  function stir() {
    const idle = Date.now() - stirred;
    stirred = Date.now();
    if (idle > IDLE && stirred - askedAt > SOON * 1000) tick();
  }

  for (const sign of ["pointermove", "pointerdown", "wheel", "keydown"]) {
    document.addEventListener(sign, stir, { passive: true, capture: true });
  }

  function comeBack() {
    if (document.hidden || !inView) return;
    ask();
    stirred = Date.now();
    if (visit && Date.now() - since > STALE) again();
    tick();
  }

  document.addEventListener("visibilitychange", comeBack);
  new IntersectionObserver((entries) => {
    const before = inView;
    inView = entries[entries.length - 1].isIntersecting;
    if (inView && !before) comeBack();
  }).observe(document.documentElement);

  // -- what has changed in sight: marked and said for a moment -----------------------------------

  const MARKED = 8000;
  const DRAWN = ["fresh", "late", "empty"];
  let before = {};

  // Only what is comparable is compared: the same customer, equally masked, drawn before.
  function drawn() {
    return [...panel().querySelectorAll("[data-section]")].filter((section) => DRAWN.includes(section.dataset.state));
  }

  function nameOf(section) {
    return `${owner(section)} ${section.dataset.section} ${"uncovered" in section.dataset}`;
  }

  function textOf(row) {
    const copy = row.cloneNode(true);
    copy.querySelectorAll("[data-age]").forEach((age) => age.remove()); // it changes by itself
    return copy.textContent.replace(/\s+/g, " ");
  }

  function rowsOf(section) {
    return new Map([...section.querySelectorAll("[data-row]")].map((row) => [row.dataset.row, textOf(row)]));
  }

  function markNews(section, old) {
    const words = document.getElementById("words").dataset;
    const counts = { isNew: 0, isChanged: 0 };
    for (const row of section.querySelectorAll("[data-row]")) {
      if (old.get(row.dataset.row) === textOf(row)) continue;
      const kind = old.has(row.dataset.row) ? "isChanged" : "isNew";
      const place = row.querySelector(".what, .name") || row;
      place.dataset.news = words[kind];
      counts[kind] += 1;
      setTimeout(() => delete place.dataset.news, MARKED);
    }
    const told = Object.keys(counts).filter((kind) => counts[kind]).map((kind) => `${counts[kind]} ${words[kind]}`);
    if (told.length) document.getElementById("said").textContent = `${section.querySelector("h2").textContent}: ${told.join(", ")}`;
  }

  document.addEventListener("htmx:before:swap", () => {
    before = Object.fromEntries(drawn().map((section) => [nameOf(section), rowsOf(section)]));
  });

  document.addEventListener("htmx:after:swap", () => {
    for (const section of drawn()) if (before[nameOf(section)]) markNews(section, before[nameOf(section)]);
    before = {};
    nameAll();
    goOn();
  });

  // Whose name nobody knew when the panel was drawn is named by its section.
  function nameAll() {
    for (const unnamed of document.querySelectorAll("[data-unnamed]")) {
      const known = unnamed.closest(".choice, #panel").querySelector("[data-name]");
      if (known) unnamed.textContent = known.dataset.name, delete unnamed.dataset.unnamed;
    }
  }

  // A form that has been sent is replaced, and the keyboard's place with it: it goes on at the
  // heading of what came.
  let acted = "";

  function placeOf(form) {
    const section = form.closest("[data-section]");
    return section ? `[data-section=${section.dataset.section}] h2` : "#panel :is(h1, .identity strong)";
  }

  function goOn() {
    const heading = acted && document.activeElement === document.body && document.querySelector(acted);
    if (heading) heading.tabIndex = -1, heading.focus();
    acted = "";
  }

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

  function say(word) {
    return document.getElementById("said").textContent = document.getElementById("words").dataset[word];
  }

  let unsay = null;

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
      button.dataset.said = say(done ? "copied" : "notCopied");
      clearTimeout(unsay);
      unsay = setTimeout(() => delete button.dataset.said, 2000);
    }
  });

  // Opened by the agent's own hand: elsewhere the keyboard is Chatwoot's, and stays with it.
  document.addEventListener("toggle", ({ target }) => target.id === "change" && target.open && target.querySelector("input").focus(), true);

  window.addEventListener("load", askUntilAnswered);
  setInterval(agesAgain, 15000);
  askIn(wait);
})();
