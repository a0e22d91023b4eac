// Popovers get a place beside their button, dialogs their opener; both close and
// hand the focus back by themselves, as the platform does.
import { one } from "./dom.js";

const GAP = 4;

export function startFloating() {
  document.addEventListener("toggle", onToggle, true);
  document.addEventListener("click", onClick);
  addEventListener("resize", () => one("[popover].placed:popover-open")?.hidePopover());
  document.addEventListener("keydown", moveInMenu);
  document.addEventListener("click", closeAfterChoice);
}

function onToggle(event) {
  const pop = event.target;
  if (!pop.matches?.("[popover]") || pop.classList.contains("sheet")) return;
  if (event.newState === "open") place(pop);
  else pop.classList.remove("placed");
}

function place(pop) {
  const opener = one(`[popovertarget="${CSS.escape(pop.id)}"]`);
  if (!opener) return;
  const from = opener.getBoundingClientRect();
  pop.classList.add("placed");
  const size = pop.getBoundingClientRect();
  const below = from.bottom + GAP + size.height <= innerHeight || from.top < size.height;
  const left = from.left + size.width > innerWidth - 8 ? from.right - size.width : from.left;
  pop.style.top = `${Math.max(8, below ? Math.min(from.bottom + GAP, innerHeight - size.height - 8) : from.top - GAP - size.height)}px`;
  pop.style.left = `${Math.max(8, Math.min(left, innerWidth - size.width - 8))}px`;
  one("[autofocus], input:not([type=hidden]), .menu-item", pop)?.focus({ preventScroll: true });
}

function onClick(event) {
  const opener = event.target.closest?.("[data-dialog]");
  const dialog = opener?.dataset.dialog && document.getElementById(opener.dataset.dialog);
  if (dialog) {
    event.preventDefault();
    opener.closest("[popover]")?.hidePopover();
    dialog.showModal();
  } else if (event.target.matches?.("dialog[open]")) {
    closeOutside(event.target, event);
  }
}

// A click on the backdrop lands on the dialog itself but outside its box.
function closeOutside(dialog, event) {
  const box = dialog.getBoundingClientRect();
  const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  if (!inside) dialog.close();
}

function closeAfterChoice(event) {
  const link = event.target.closest?.("[popover] a.menu-item");
  link?.closest("[popover]").hidePopover();
}

function moveInMenu(event) {
  const menu = event.target.closest?.(".menu-pop, .sheet");
  if (!menu || !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
  const items = [...menu.querySelectorAll("a.menu-item, button.menu-item, summary.menu-item")].filter((i) => i.checkVisibility());
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  items[(to + items.length) % items.length]?.focus();
  event.preventDefault();
}

// choose opens a dialog of the page and resolves to "yes" or another value.
export function choose(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
    dialog.showModal();
  });
}

export async function ask(question, yes) {
  const dialog = one("#ask");
  if (!dialog) return true;
  one("#ask-text").textContent = question;
  if (yes) one("#ask-yes").textContent = yes;
  return (await choose(dialog)) === "yes";
}
