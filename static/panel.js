// The bridge to Chatwoot, the visibility clock, ages, copying. Everything else is htmx.
(() => {
  "use strict";

  const ASK = "chatwoot-dashboard-app:fetch-info"; // exactly this string (contracts/chatwoot.md §1.4)
  const ASK_AT = [0, 250, 1000, 3000];
  const SILENCE = 8000;
  const OURS = "middag_organization_id";
  const STALE = 20 * 60 * 1000; // well before a seal's half hour ends
  const on = (name, act, options) => document.addEventListener(name, act, options);
  const find = (selector) => document.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const meta = (name) => find(`meta[name=panel-${name}]`).content;
  const panel = () => find("#panel");
  const isReady = () => panel().dataset.panel === "ready";
  const framed = parent !== window;

  // The launch key lives here only: out of the address before htmx can send it anywhere.
  const key = new URLSearchParams(location.hash.slice(1)).get("k") || "";
  history.replaceState(null, "", location.pathname + location.search);

  let visit = null; // what the shown or awaited panel was asked for
  let told = {}; // all that was said to ask for it
  let since = 0;
  let timers = [];

  // -- the bridge ---------------------------------------------------------------------------

  function ask() {
    if (framed) parent.postMessage(ASK, "*");
    else window.ReactNativeWebView?.postMessage(ASK);
  }

  function askUntilAnswered() {
    timers.forEach(clearTimeout);
    timers = ASK_AT.map((wait) => setTimeout(ask, wait));
    timers.push(setTimeout(() => panel().classList.add("unanswered"), SILENCE));
  }

  // In a browser the parent speaks, from an origin that we were told; in Chatwoot's mobile app there
  // is no parent, and the message comes from this page itself (contracts §1.6).
  function isChatwoot({ source, origin }) {
    const origins = framed ? meta("origins").split(" ") : [location.origin];
    return source === parent && origins.includes(origin);
  }

  function contextOf({ data }) {
    try {
      const message = JSON.parse(data);
      return message.event === "appContext" && message.data;
    } catch {
      return null; // not a word of Chatwoot's
    }
  }

  addEventListener("message", (event) => {
    const context = isChatwoot(event) && contextOf(event);
    if (!context?.conversation) return;
    if (!window.htmx) return tooEarly();
    try {
      stir();
      timers.forEach(clearTimeout);
      show(read(context));
    } catch {
      asking = false;
      clear(); // what was asked before must not land in the place of this
      fail("context"); // nobody must wait for a panel that does not come
    }
  });

  // A visitor writes attributes of any shape into what Chatwoot tells us, `{"toString": 1}` too,
  // which throws where it is made a text. Only texts and numbers are read, as on the server.
  const isPlain = (value) => typeof value === "string" || typeof value === "number";
  const plain = (value) => (isPlain(value) ? value : "");

  function read(context) {
    const { conversation, theme } = context;
    if (plain(theme)) document.documentElement.dataset.theme = theme;
    const about = conversation.meta || {};
    const who = context.contact?.id ? context.contact : about.sender || {};
    const agent = context.currentAgent || context.current_agent || {}; // mobile: snake case, deeply
    return {
      conversation: plain(conversation.id),
      contact: plain(who.id),
      account: plain(conversation.account_id),
      agent_id: plain(agent.id),
      agent_email: plain(agent.email),
      customer: customer(who, conversation.custom_attributes, about.hmac_verified),
    };
  }

  // All that decides who the customer is: where it is what the server has read a moment ago, it
  // need not ask Chatwoot again (`describe_customer`); where it changes, the panel opens anew. What
  // a visitor wrote may be endless; cut, it is never the same.
  function customer(who, attributes, signed) {
    const claims = [attributes, who.custom_attributes].map((each) => each?.[OURS]);
    const said = [who.id, who.email, who.phone_number, who.identifier, ...claims, signed ? 1 : ""];
    return said.map(plain).join("\t").slice(0, 2000);
  }

  // -- the panel ----------------------------------------------------------------------------

  const UNSETTLED = ["waiting", "failed"];
  let asking = false; // true, then what htmx knows of the question

  function show(asked) {
    const known = visit && Object.keys(asked).every((name) => asked[name] === visit[name]);
    const settled = asking || !UNSETTLED.includes(panel().dataset.panel);
    if (known && settled && Date.now() - since < STALE) return;
    open(asked, known && isReady());
  }

  // A panel of the same customer is morphed in place; that of another conversation is thrown away,
  // so that answers still under way for it find nothing to land in. So is one that is still asked
  // for: htmx would let the newer question wait, for an element that the older answer replaces.
  function open(asked, morphs, more) {
    told = { ...asked, ...more, organization: (morphs && panel().dataset.organization) || 0 };
    if (!morphs && visit && (asking || asked.conversation !== visit.conversation)) clear();
    clearTimeout(proving);
    visit = asked;
    since = Date.now();
    asking = true;
    const swap = morphs ? "outerMorph" : "outerHTML";
    htmx.ajax("POST", meta("root") + "contact", { target: "#panel", source: "#panel", swap, values: told });
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
    if (visit) open(visit, isReady());
    else askUntilAnswered();
  }

  // The agent has just signed in: a session that is still missing was not kept by the browser.
  on("panel:proven", () => visit && open(visit, false, { signed_in: 1 }));

  // -- what leaves, and what may land ---------------------------------------------------------

  const toContact = (request) => request.action.endsWith("/contact");
  const owner = (element) => element.closest("[data-for]")?.dataset.for;
  const isLive = (ctx) => ctx.sourceElement.id === "live";

  on("htmx:config:request", ({ detail: { ctx } }) => {
    const { request, sourceElement } = ctx;
    const { body, headers } = request;
    if (toContact(request) && sourceElement === panel()) asking = ctx;
    const proof = toContact(request) ? key : sourceElement.closest("[data-seal]")?.dataset.seal;
    if (proof) headers.Authorization = `Bearer ${proof}`;
    delete headers["HX-Current-URL"];
    // htmx adds every field inside the panel: what was typed there, a token above all, stays here.
    if (sourceElement === panel()) [...body.keys()].forEach((name) => name in told || body.delete(name));
    if (toContact(request) && visit && !body.get("agent_email")) body.set("agent_email", visit.agent_email);
    if (sourceElement.matches("form")) ctx.goOn = placeOf(sourceElement);
    if (isLive(ctx)) {
      body.set("seen", shown());
      body.set("idle", Math.floor((Date.now() - stirred) / 1000));
    }
    ctx.sentFor = owner(sourceElement);
  });

  // Morphing keeps the elements: what was asked for another organization, or before the trust
  // changed, must not land in them. And only our own fragments may: no proxy's page, no JSON.
  on("htmx:before:response", (event) => {
    const { ctx } = event.detail;
    const { status, headers } = ctx.response;
    if (isLive(ctx)) {
      if (headers.get("HX-Trigger")) stirred = Date.now();
      askIn(Number(headers.get("X-Panel-Next")) || later());
    }
    if (status === 204) return;
    const ours = headers.get("X-Panel") === "1";
    if (ours && status !== 401 && (!ctx.sentFor || owner(ctx.sourceElement) === ctx.sentFor)) return tries = 0;
    event.preventDefault();
    if (status === 401) proveAgain(ctx);
    else if (!ours) lose(ctx, `http_${status}`, headers.get("X-Request-Id"));
  });

  on("htmx:error", ({ detail: { ctx, error } }) => {
    if (!ctx?.request || !ctx.sourceElement.isConnected) return;
    if (error?.name === "AbortError" && ctx.request.signal.reason !== "timeout") return;
    if (isLive(ctx)) askIn(later());
    lose(ctx, "network");
  });

  // Not sooner: between the head of an answer and its place on the page its body is still read.
  on("htmx:finally:request", ({ detail: { ctx } }) => {
    if (ctx === asking) asking = false;
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

  const copyOf = (template) => find(template).content.cloneNode(true);

  function lost(template, code, id) {
    const words = copyOf(template);
    words.querySelector("[data-lost]").textContent = id ? `${code} · ${id}` : code;
    return words;
  }

  function fail(code, id) {
    panel().replaceWith(lost("#lost", code, id));
  }

  // No answer of ours came: say so where it was awaited, and leave what stands.
  function lose(ctx, code, id) {
    const section = ctx.sourceElement.closest("[data-section]");
    if (toContact(ctx.request) && !isReady()) return fail(code, id);
    const words = lost("#lost-part", code, id);
    const place = section || panel();
    if (isLive(ctx) || place.querySelector("[data-lost-part]")) return;
    if (section?.dataset.state === "loading") {
      section.dataset.state = "failed";
      section.dataset.code = code;
      section.querySelector(".skeleton").remove();
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
    return all("[data-section]:not([data-state=loading], .htmx-request, :has(.htmx-request))")
      .map(({ dataset }) => `${dataset.section}:${dataset.version || ""}`).join(",");
  }

  const later = () => Math.min(LATE, 2 * wait);

  function tick() {
    clearTimeout(clock);
    if (document.hidden || !inView) return;
    find("#live")?.dispatchEvent(new CustomEvent("panel:ask"));
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
    on(sign, stir, true);
  }

  function comeBack() {
    if (document.hidden || !inView) return;
    ask();
    stirred = Date.now();
    if (visit && Date.now() - since > STALE) again();
    tick();
  }

  on("visibilitychange", comeBack);
  new IntersectionObserver((entries) => {
    const before = inView;
    inView = entries.at(-1).isIntersecting;
    if (inView && !before) comeBack();
  }).observe(document.documentElement);

  // -- what has changed in sight: marked and said for a moment -----------------------------------

  const MARKED = 8000;
  let before = new Map();

  // Only what is comparable is compared: the same customer, equally masked, drawn before.
  const drawn = () => all("[data-state=fresh], [data-state=late], [data-state=empty]");
  const nameOf = (section) => `${owner(section)} ${section.dataset.section} ${"uncovered" in section.dataset}`;
  const rowsOf = (section) => new Map(all("[data-row]", section).map((row) => [row.dataset.row, textOf(row)]));

  function textOf(row) {
    const copy = row.cloneNode(true);
    all("[data-age]", copy).forEach((age) => age.remove()); // it changes by itself
    return copy.textContent.replace(/\s+/g, " ");
  }

  function markNews(section, old) {
    const words = find("#words").dataset;
    const counts = new Map();
    for (const row of all("[data-row]", section)) {
      const known = old.get(row.dataset.row);
      if (known === textOf(row)) continue;
      const word = known === undefined ? words.isNew : words.isChanged;
      const place = row.querySelector(".what, .name") || row;
      place.dataset.news = word;
      counts.set(word, (counts.get(word) || 0) + 1);
      setTimeout(() => delete place.dataset.news, MARKED);
    }
    const told = [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
    if (told) find("#said").textContent = `${section.querySelector("h2").textContent}: ${told}`;
  }

  on("htmx:before:swap", () => {
    before = new Map(drawn().map((section) => [nameOf(section), rowsOf(section)]));
  });

  on("htmx:after:swap", ({ detail: { ctx } }) => {
    for (const section of drawn()) {
      const old = before.get(nameOf(section));
      if (old) markNews(section, old);
    }
    before.clear();
    nameAll();
    // The panel's threads all wait for others: this panel comes again a moment later.
    if (panel().dataset.code === "busy") setTimeout(() => panel().dataset.code === "busy" && again(), 4000);
    if (ctx.goOn && document.activeElement === document.body) goOn(find(ctx.goOn));
  });

  // Whose name nobody knew when the panel was drawn is named by its section.
  function nameAll() {
    for (const unnamed of all("[data-unnamed]")) {
      const known = unnamed.closest(".choice, #panel").querySelector("[data-name]");
      if (known) unnamed.textContent = known.dataset.name, delete unnamed.dataset.unnamed;
    }
  }

  // A form that has been sent is replaced, and the keyboard's place with it: it goes on at the
  // heading of what came.
  function placeOf(form) {
    const section = form.closest("[data-section]");
    return section ? `[data-section=${section.dataset.section}] h2` : "#panel :is(h1, .identity strong)";
  }

  function goOn(heading) {
    if (heading) heading.tabIndex = -1, heading.focus();
  }

  // -- ages and copying ---------------------------------------------------------------------

  const STEPS = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [Infinity, "day", 86400]];

  function agesAgain() {
    const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
    for (const age of all("time[data-age]")) {
      const seconds = Math.max(1, (Date.now() - Date.parse(age.dateTime)) / 1000);
      const [, unit, size] = STEPS.find(([limit]) => seconds < limit);
      age.textContent = words.format(-Math.floor(seconds / size), unit);
    }
  }

  function say(word) {
    return find("#said").textContent = find("#words").dataset[word];
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

  on("click", (event) => {
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

  // What is asked before something is uncovered is the same everywhere: it stands in the shell.
  on("beforetoggle", ({ target }) => {
    if (target.firstChild) return;
    target.append(copyOf("#uncover"));
    const form = target.firstElementChild;
    form.querySelector("strong").textContent = target.getAttribute("aria-label");
    form.elements.section.value = form.closest("section").dataset.section;
    form.querySelector("[popovertargetaction]").popoverTargetElement = target;
    htmx.process(form);
  }, true);

  // Opened by the agent's own hand: elsewhere the keyboard is Chatwoot's, and stays with it.
  on("toggle", ({ target }) => target.id === "change" && target.open && target.querySelector("input").focus(), true);

  addEventListener("load", askUntilAnswered);
  setInterval(agesAgain, 15000);
  askIn(wait);
})();
