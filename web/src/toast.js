// One toast at a time, the newest wins. Its clock stops while it is looked at.
import { all, icon, make, one } from "./dom.js";
import { words } from "./words.js";

export function startToasts() {
  document.addEventListener("click", (event) => {
    event.target.closest?.("[data-close-toast]")?.closest(".toast").remove();
  });
  all(".toast").forEach(watch);
}

export function toast(text, { bad = false } = {}) {
  const close = make("button", { type: "button", class: "toast-close", "data-close-toast": true, "aria-label": words.close }, icon("x"));
  place(make("div", { class: bad ? "toast bad" : "toast", role: bad ? "alert" : "status" }, icon(bad ? "circle-alert" : "check"), make("span", { class: "toast-text" }, text), close));
}

// adoptToasts takes the flash message out of a fetched page.
export function adoptToasts(doc) {
  const fresh = one(".toast", doc);
  if (fresh) place(document.adoptNode(fresh));
}

function place(node) {
  all(".toast").forEach((old) => old.remove());
  one("#toasts")?.append(node);
  watch(node);
}

function watch(node) {
  const wait = node.classList.contains("bad") ? 12000 : 8000;
  let timer;
  const start = () => (timer = setTimeout(() => node.remove(), wait));
  const hold = () => clearTimeout(timer);
  for (const name of ["pointerenter", "focusin"]) node.addEventListener(name, hold);
  for (const name of ["pointerleave", "focusout"]) node.addEventListener(name, start);
  start();
}

// undo presses the newest Undo there is.
export function undo() {
  const form = one(".toast form[data-undo]");
  form?.requestSubmit(one("button", form));
  return !!form;
}
