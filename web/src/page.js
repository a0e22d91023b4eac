// Fetching whole pages and putting them in place of the current one.
import { Idiomorph } from "./vendor/idiomorph.js";
import { all, one, root } from "./dom.js";
import { adoptToasts } from "./toast.js";

// The only way a string becomes markup: pages of our own origin, through the one
// policy the CSP allows.
const policy = window.trustedTypes?.createPolicy("crm", { createHTML: (html) => html });

export function parse(html) {
  return new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, "text/html");
}

export async function fetchPage(url, options = {}) {
  const response = await fetch(url, { credentials: "same-origin", ...options, headers: { Accept: "text/html", ...options.headers } });
  const type = response.headers.get("Content-Type") ?? "";
  const doc = type.startsWith("text/html") ? parse(await response.text()) : null;
  return { response, doc, url: response.url };
}

// fits is false when only a full load is right: another build, or a page with
// another frame (signed out).
export function fits(doc) {
  return !!doc && doc.documentElement.dataset.build === root.dataset.build && doc.body.className === document.body.className;
}

// swap puts doc in place. With morph the elements stay and only differences are
// written, so focus, scroll and half-typed text survive; live additionally leaves
// alone everything the person has touched.
export function swap(doc, { morph = false, live = false } = {}) {
  document.title = doc.title;
  for (const name of ["letters", "palette", "live"]) copyState(name, doc);
  for (const id of ["menu", "tabbar"]) morphPart(one(`#${id}`), doc.getElementById(id), live);
  const main = one("#main");
  const next = doc.getElementById("main");
  if (morph) morphPart(main, next, live);
  else main.replaceWith(document.adoptNode(next));
  if (!live) adoptToasts(doc);
  document.dispatchEvent(new CustomEvent("crm:page", { detail: { live, morph } }));
}

function copyState(name, doc) {
  const value = doc.documentElement.dataset[name];
  if (value != null) root.dataset[name] = value;
}

function morphPart(from, to, live) {
  if (!from || !to) return;
  Idiomorph.morph(from, document.adoptNode(to), {
    morphStyle: "outerHTML",
    callbacks: {
      beforeNodeMorphed: (old, fresh) => mayTouch(old, fresh, live),
      beforeNodeRemoved: (old) => !(live && old instanceof Element && busy(old)),
      beforeAttributeUpdated: (name, node) => !keptAttribute(name, node, live),
    },
  });
}

// mayTouch guards what a person is doing, and controls that script has built on
// (the server's twin does not know their parts). A typing control in use keeps its text
// but learns its new default, so that it does not look changed for ever.
function mayTouch(old, fresh, live) {
  if (!(old instanceof Element)) return true;
  if (old.matches("dialog[open], [data-editing], crm-combo, crm-reveal, crm-copy")) return false;
  if (old.matches("[popover]:popover-open")) return false;
  if (!old.matches("input, textarea, select")) return true;
  if (live && dirty(old)) return false;
  if (old === document.activeElement && "defaultValue" in old) {
    old.defaultValue = fresh.defaultValue;
    return false;
  }
  return true;
}

function busy(node) {
  return node.contains(document.activeElement) && node.matches("form, .prop-edit, .field, [data-editing]");
}

export function dirty(control) {
  if (control === document.activeElement && control.matches("input:not([type=checkbox], [type=radio]), textarea")) return true;
  if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
  if (control instanceof HTMLSelectElement) return [...control.options].some((o) => o.selected !== o.defaultSelected);
  return control.value !== control.defaultValue;
}

// Opened parts stay open over a live refresh; the script's own marks stay too.
function keptAttribute(name, node, live) {
  if (name === "open" && live) return true;
  if (name === "class" && node.matches(".lifted, .hole, .dragging, .placed:popover-open")) return true;
  return name === "data-editing" || name === "style";
}

let running = null;

// refresh fetches this very page again; a newer call replaces a running one.
export async function refresh({ live = false, changed } = {}) {
  running?.abort();
  running = new AbortController();
  const address = location.href;
  try {
    const { doc, response } = await fetchPage(address, { signal: running.signal });
    if (location.href !== address) return;
    if (!response.ok || !fits(doc)) {
      if (!live) location.reload();
      return;
    }
    swap(doc, { morph: true, live });
    if (changed) tint(changed);
  } catch (error) {
    if (error.name !== "AbortError" && !live) throw error;
  }
}

function tint(ids) {
  for (const node of all("[data-id]")) {
    if (!ids.has(node.dataset.id)) continue;
    node.classList.remove("changed");
    requestAnimationFrame(() => node.classList.add("changed"));
  }
}
