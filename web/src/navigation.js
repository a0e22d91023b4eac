// Soft navigation on the Navigation API: links stay links, the address bar and
// back button stay the browser's. Where the API is missing pages load plainly.
import { one, say } from "./dom.js";
import { fetchPage, fits, swap } from "./page.js";
import { toast } from "./toast.js";
import { words } from "./words.js";

let native = false;
const ahead = new Map(); // address → { at, page } of a hovered link, 3 s at most

export const soft = "navigation" in window;

export function startNavigation() {
  if (!soft) return;
  recallScroll();
  document.addEventListener("click", markNative, true);
  document.addEventListener("pointerover", prefetchSoon);
  navigation.addEventListener("navigate", intercept);
  document.addEventListener("crm:page", focusWished);
  focusWished();
}

// show puts an already fetched page under its address.
export function show(doc, url, { replace = false } = {}) {
  if (!soft || !fits(doc)) return location.assign(url);
  navigation.navigate(url, { history: replace ? "replace" : "auto", info: { doc } });
}

export function go(url, { replace = false } = {}) {
  if (!soft) return location.assign(url);
  navigation.navigate(url, { history: replace ? "replace" : "auto" });
}

function markNative(event) {
  native = !!event.target.closest?.("a[data-native]");
}

function intercept(event) {
  const leave = !event.canIntercept || event.hashChange || event.downloadRequest !== null || event.formData || event.navigationType === "reload";
  if (leave || native || !ours(new URL(event.destination.url))) {
    native = false;
    return;
  }
  keepScroll();
  const target = new URL(event.destination.url);
  const same = target.pathname === location.pathname;
  event.intercept({
    focusReset: "manual",
    scroll: same ? "manual" : "after-transition",
    handler: () => arrive(event, same),
  });
}

// Files and API answers are not pages.
function ours(url) {
  return !/^\/(assets|api|hooks|o|c)\//.test(url.pathname) && !/\.(csv|xlsx|ndjson|ics|pdf)$/.test(url.pathname);
}

async function arrive(event, same) {
  const stop = bar();
  try {
    const page = event.info?.doc ? { doc: event.info.doc } : await take(event.destination.url, event.signal);
    if (event.signal.aborted) return;
    if (!fits(page.doc)) return location.reload();
    swap(page.doc, { morph: same });
    settle(same, page.doc);
    if (event.navigationType === "traverse") recallScroll();
    if (page.response?.redirected && page.url !== location.href) show(page.doc.cloneNode(true), page.url, { replace: true });
  } catch (error) {
    if (error.name === "AbortError") return;
    toast(words.offline, { bad: true });
  } finally {
    stop();
  }
}

function settle(same, doc) {
  if (same) return;
  const wished = one("form[data-focus]");
  if (!wished) one("#main")?.focus({ preventScroll: true });
  say(doc.title);
}

function focusWished(event) {
  if (event?.detail?.live) return;
  const form = one("#main form[data-focus]");
  const control = form && document.getElementById(form.dataset.focus);
  control?.focus({ preventScroll: !event });
}

// Tables and boards scroll inside the page; the browser only remembers the window,
// so their place is kept beside the history entry.
const scrollers = ".list-page .table-wrap, .board";
const places = new Map();

function keepScroll() {
  const box = one(scrollers);
  const key = navigation.currentEntry?.key;
  if (box && key) places.set(key, [box.scrollLeft, box.scrollTop]);
}

function recallScroll() {
  const box = one(scrollers);
  const place = places.get(navigation.currentEntry?.key);
  if (box && place) box.scrollTo(...place);
}

// bar shows that something is under way, but only after 150 ms.
export function bar() {
  let line;
  const timer = setTimeout(() => {
    line = document.createElement("div");
    line.className = "progress-line";
    document.body.append(line);
  }, 150);
  return () => {
    clearTimeout(timer);
    line?.remove();
  };
}

async function take(url, signal) {
  const early = ahead.get(url);
  ahead.delete(url);
  if (early && Date.now() - early.at < 3000) {
    const page = await early.page;
    if (page) return page;
  }
  return fetchPage(url, { signal });
}

// prefetchSoon fetches a link the pointer rests on. Safe because GET never
// changes anything here.
function prefetchSoon(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || event.pointerType === "touch" || navigator.connection?.saveData) return;
  if (link.origin !== location.origin || link.dataset.native != null || link.target || link.href === location.href) return;
  if (link.download || !ours(link) || ahead.has(link.href)) return;
  const timer = setTimeout(() => {
    if (!link.matches(":hover")) return;
    ahead.clear();
    ahead.set(link.href, { at: Date.now(), page: fetchPage(link.href).catch(() => null) });
  }, 90);
  link.addEventListener("pointerleave", () => clearTimeout(timer), { once: true });
}
