// Forms are sent by fetch and follow the contract a plain form follows: 303 to a
// page, 422 with the same page, 409 and worse with a page that tells what happened.
import { all, debounce, keep, one, read } from "./dom.js";
import { bar, go, show, soft } from "./navigation.js";
import { fetchPage, fits, refresh, swap } from "./page.js";
import { ask } from "./floating.js";
import { adoptToasts, toast } from "./toast.js";
import { words } from "./words.js";

export function startForms() {
  document.addEventListener("submit", onSubmit);
  document.addEventListener("input", onInput);
  document.addEventListener("click", onFill);
  document.addEventListener("crm:page", restoreDrafts);
  restoreDrafts();
}

function onSubmit(event) {
  const form = event.target;
  const submitter = event.submitter;
  if (event.defaultPrevented || form.method === "dialog") return;
  if (submitter?.getAttribute("aria-busy") === "true") return event.preventDefault();
  const question = submitter?.dataset.ask ?? form.dataset.ask;
  if (question && form.dataset.asked !== question) return askFirst(event, question);
  delete form.dataset.asked;
  if (form.matches("[action$='/sign-out']")) forgetDrafts();
  if (plain(form, submitter)) return markBusy(submitter);
  event.preventDefault();
  send(form, submitter);
}

function plain(form, submitter) {
  const action = new URL(submitter?.formAction || form.action, location.href);
  return !soft || form.dataset.native != null || form.enctype === "multipart/form-data" || form.target || action.origin !== location.origin;
}

async function askFirst(event, question) {
  event.preventDefault();
  const { target: form, submitter } = event;
  if (!(await ask(question, submitter?.textContent.trim()))) return;
  form.dataset.asked = question;
  form.requestSubmit(submitter);
}

function send(form, submitter) {
  const data = new FormData(form, submitter);
  const action = submitter?.hasAttribute("formaction") ? submitter.formAction : form.action || location.href;
  form.closest("[popover]")?.hidePopover();
  if (form.method === "get") return go(withQuery(action, data), { replace: form.dataset.liveSearch != null && location.search.length > 1 });
  const free = markBusy(submitter);
  return post(action, data, { draft: form.dataset.draft }).finally(free);
}

// withQuery drops empty fields so that addresses stay short enough to read aloud.
function withQuery(action, data) {
  const url = new URL(action, location.href);
  url.search = new URLSearchParams([...data].filter(([, value]) => value !== ""));
  return url.href;
}

// markBusy keeps the width, says what goes on and ignores a second press.
function markBusy(button) {
  if (!button?.matches("button")) return () => {};
  const label = one("span", button);
  const before = label?.textContent;
  button.style.minWidth = `${button.offsetWidth}px`;
  button.setAttribute("aria-busy", "true");
  if (label && button.dataset.busy) label.textContent = button.dataset.busy;
  return () => {
    button.removeAttribute("aria-busy");
    button.style.minWidth = "";
    if (label && button.dataset.busy) label.textContent = before;
  };
}

// post sends fields and shows the answer. It resolves to true when the server
// accepted, false when not; on false nothing on the page was replaced except by a
// 422 page, which carries what was typed.
export async function post(action, data, { draft } = {}) {
  const stop = bar();
  try {
    const page = await fetchPage(action, { method: "POST", body: new URLSearchParams([...data].filter(([, v]) => typeof v === "string")) });
    if (page.response.ok) keepDraft(draft, null);
    return answer(page);
  } catch {
    toast(words.offline, { bad: true });
    return false;
  } finally {
    stop();
  }
}

async function answer({ response, doc, url }) {
  if (!doc) return response.ok ? (await refresh(), true) : refuse(null);
  if (one("[data-error-page]", doc) && !response.ok) return refuse(doc);
  if (!response.ok) return swapRefused(doc);
  if (!fits(doc)) return location.assign(url), true;
  const here = new URL(url);
  if (here.pathname !== location.pathname) return show(doc, url), true;
  if (here.search !== location.search) return adoptToasts(doc), await refresh(), true;
  swap(doc, { morph: true });
  return true;
}

function refuse(doc) {
  toast(one("[data-error-text]", doc ?? document.createElement("div"))?.textContent.trim() || words.failed, { bad: true });
  return false;
}

function swapRefused(doc) {
  if (fits(doc)) swap(doc, { morph: true });
  one("#main .summary")?.focus();
  return false;
}

const search = debounce(260, (form) => form.requestSubmit());

function onInput(event) {
  const form = event.target.form;
  if (!form) return;
  if (form.dataset.liveSearch != null && soft) search(form);
  if (form.dataset.draft) keepDraft(form.dataset.draft, draftOf(form));
}

function onFill(event) {
  const button = event.target.closest?.("[data-fill]");
  const control = button && document.getElementById(button.dataset.fill);
  if (!control) return;
  control.value = button.value;
  control.dispatchEvent(new Event("input", { bubbles: true }));
  control.focus();
}

const DRAFT = "crm-draft:";

function draftOf(form) {
  const fields = all("textarea[name], input[type=text][name]", form).map((c) => [c.name, c.value]).filter(([, v]) => v);
  return fields.length ? JSON.stringify(fields) : null;
}

function keepDraft(key, value) {
  if (key) keep(DRAFT + key, value);
}

// restoreDrafts fills only empty controls: what the server sent wins.
function restoreDrafts() {
  for (const form of all("form[data-draft]")) {
    const kept = read(DRAFT + form.dataset.draft);
    if (!kept) continue;
    for (const [name, value] of JSON.parse(kept)) {
      const control = form.elements.namedItem(name);
      if (control && "value" in control && !control.value) control.value = value;
    }
  }
}

function forgetDrafts() {
  for (const key of Object.keys(localStorage)) if (key.startsWith(DRAFT)) keep(key, null);
}
