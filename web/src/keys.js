// The keyboard map. Single letters work outside fields only and not at all when
// the person switched them off.
import { all, one, root, typing } from "./dom.js";
import { go } from "./navigation.js";
import { openPalette } from "./palette.js";
import { foldMenu } from "./theme.js";
import { undo } from "./toast.js";

let going = 0; // until when a letter completes `g`

export function startKeys() {
  document.addEventListener("keydown", onKey);
}

function onKey(event) {
  if (event.defaultPrevented || event.isComposing) return;
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key.toLowerCase() === "k") return act(event, openPalette);
  if (command && event.key === "Enter") return act(event, () => event.target.form?.requestSubmit());
  if (event.key === "Escape") return escape(event);
  if (command || event.altKey || typing(event.target) || one("dialog[open]")) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") return arrow(event);
  if (root.dataset.letters !== "off") letter(event);
}

function act(event, run) {
  event.preventDefault();
  run();
}

function letter(event) {
  if (going > Date.now()) {
    going = 0;
    const link = one(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) return act(event, () => go(link.href));
  }
  const run = plainKeys[event.key] ?? pageKey(event.key);
  if (run) act(event, () => run(event));
}

const plainKeys = {
  g: () => (going = Date.now() + 1200),
  "/": () => one("#list-search")?.focus(),
  "?": () => one("#keys")?.showModal(),
  "[": foldMenu,
  u: undo,
  j: () => step(1),
  k: () => step(-1),
  m: moveFocused,
};

// pageKey finds the button, link or composer tab of this page that owns a letter.
function pageKey(key) {
  const name = CSS.escape(key);
  const tab = one(`details[data-letter="${name}"]`);
  if (tab) return () => openComposer(tab);
  const control = all(`[data-key="${name}"]`).find((c) => c.checkVisibility());
  return control && (() => control.click());
}

function openComposer(tab) {
  tab.open = true;
  one("textarea, input:not([type=hidden]), select", tab)?.focus();
}

// The things j and k walk through: rows, queue lines, needs, cards.
const walk = "tbody .pin .name[href], .queue a, .need .name, .card[tabindex]";

function step(by) {
  const items = all(walk, one("#main")).filter((i) => i.checkVisibility());
  if (!items.length) return;
  const focused = document.activeElement;
  const at = items.findIndex((i) => i === focused || i.closest("tr, li")?.contains(focused));
  const to = at < 0 ? (by > 0 ? 0 : items.length - 1) : Math.max(0, Math.min(items.length - 1, at + by));
  items[to].focus();
  items[to].scrollIntoView({ block: "nearest" });
}

function arrow(event) {
  if (event.target.closest?.(".card, [popover]") || !event.target.matches?.(walk)) return;
  act(event, () => step(event.key === "ArrowDown" ? 1 : -1));
}

function moveFocused() {
  const opener = one(".card-more", document.activeElement?.closest(".card") ?? document.createElement("i"));
  if (opener) return opener.click();
  one(".stage-path button:enabled")?.focus();
}

function escape(event) {
  const edit = event.target.closest?.(".prop-edit[open]");
  if (edit) return act(event, () => closeEdit(edit));
  if (typing(event.target) && !event.target.closest("dialog, [popover], crm-combo")) return event.target.blur();
  const bulk = one("#bulk");
  if (bulk && !one("[popover]:popover-open, dialog[open]") && one(".picked")) act(event, () => bulk.reset());
}

export function closeEdit(edit) {
  one("form", edit)?.reset();
  edit.open = false;
  one("summary", edit)?.focus();
}
