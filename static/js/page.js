// The page: how the other modules find its parts, hear its events, and speak to its reader.

export const on = (name, act, options) => document.addEventListener(name, act, options);
export const find = (selector) => document.querySelector(selector);
export const all = (selector, within = document) => [...within.querySelectorAll(selector)];
export const meta = (name) => find(`meta[name=panel-${name}]`).content;
export const copyOf = (template) => find(template).content.cloneNode(true);
export const panel = () => find("#panel");
export const isLive = (element) => element.id === "live";
export const isReady = () => panel().dataset.panel === "ready";
export const ownerOf = (element) => element.closest("[data-for]")?.dataset.for;
export const wordsOf = () => find("#words").dataset;

// The one place that speaks to screen readers. Returns the announced text.
export const announce = (text) => (find("#said").textContent = text);
export const announceWord = (name) => announce(wordsOf()[name]);
