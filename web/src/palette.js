// The command palette: places of the menu, actions of this page, and what the
// server finds. A combobox over a listbox; arrows move, Enter goes.
import { all, debounce, icon, make, one, root } from "./dom.js";
import { go } from "./navigation.js";
import { words } from "./words.js";

let asked = 0;

export function startPalette() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-palette-open]");
    if (!opener || event.metaKey || event.ctrlKey || !one("#palette")) return;
    event.preventDefault();
    opener.closest("[popover]")?.hidePopover();
    openPalette();
  });
  const dialog = one("#palette");
  if (!dialog) return;
  const field = one("input", dialog);
  field.addEventListener("input", () => update(field.value));
  dialog.addEventListener("keydown", onKey);
  dialog.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) run(option);
  });
}

export function openPalette() {
  const dialog = one("#palette");
  if (!dialog || dialog.open) return;
  const field = one("input", dialog);
  field.value = "";
  dialog.showModal();
  field.focus();
  update("");
}

function update(text) {
  draw(local(text));
  find(text.trim());
}

// local are the places and buttons already on this page.
function local(text) {
  const places = all("#menu [data-go]").map((link) => ({ label: link.innerText.replace(/\s+\d[\d,.]*$/, "").trim(), href: link.href, group: words.goTo, keys: `g ${link.dataset.go}` }));
  const actions = all("#main [data-key]").filter((c) => c.checkVisibility()).map((control) => ({ label: one("span", control)?.textContent ?? control.textContent, control, group: words.onPage, keys: control.dataset.key }));
  const wanted = text.trim().toLowerCase();
  return [...actions, ...places].filter((item) => item.label.toLowerCase().includes(wanted));
}

const find = debounce(110, async (text) => {
  const turn = ++asked;
  const address = root.dataset.palette;
  if (!address || !one("#palette").open) return;
  const url = new URL(address, location.href);
  url.searchParams.set("q", text);
  const response = await fetch(url, { headers: { Accept: "application/json" } }).catch(() => null);
  if (!response?.ok || turn !== asked) return;
  const found = await response.json().catch(() => []);
  if (turn === asked && Array.isArray(found)) draw([...found, ...local(text)]);
});

function draw(items) {
  const list = one("#palette-list");
  list.replaceChildren();
  let group;
  items.slice(0, 40).forEach((item, i) => {
    if (item.group !== group) list.append(make("h3", { role: "presentation" }, (group = item.group) ?? ""));
    list.append(option(item, i));
  });
  if (!items.length) list.append(make("p", {}, words.none));
  one(".palette-count").textContent = words.results(items.length);
  choose(0);
}

function option(item, i) {
  const node = make("div", { role: "option", id: `palette-${i}`, "aria-selected": "false" }, icon(item.control ? "zap" : "arrow-right"), make("span", { class: "cut" }, item.label));
  if (item.hint) node.append(make("span", { class: "hint cut" }, item.hint));
  else if (item.keys) node.append(make("span", { class: "hint" }, ...item.keys.split(" ").map((k) => make("kbd", {}, k))));
  node.target = item.control ?? item.href;
  return node;
}

function choose(at) {
  const options = all("#palette-list [role=option]");
  const next = options[(at + options.length) % options.length];
  options.forEach((o) => o.setAttribute("aria-selected", String(o === next)));
  const field = one("#palette input");
  if (next) field.setAttribute("aria-activedescendant", next.id);
  else field.removeAttribute("aria-activedescendant");
  next?.scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  const options = all("#palette-list [role=option]");
  const at = options.findIndex((o) => o.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown") choose(at + 1);
  else if (event.key === "ArrowUp") choose(at - 1);
  else if (event.key === "Enter" && options[at]) run(options[at]);
  else return;
  event.preventDefault();
}

// run accepts only same-origin addresses from the server.
function run(option) {
  one("#palette").close();
  if (option.target instanceof Element) return option.target.click();
  const url = new URL(option.target, location.href);
  if (url.origin === location.origin) go(url.href);
}
