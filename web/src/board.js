// crm-board: moving cards by mouse, by touch (a held finger lifts, a swipe still
// scrolls) and by keyboard. A drop shows at once and goes back when refused; sums
// come from the server's answer.
import { all, make, one, say } from "./dom.js";
import { choose } from "./floating.js";
import { post } from "./forms.js";
import { words } from "./words.js";

const HOLD = 280; // ms a finger rests before the card lifts
const SLOP = 6; // px a mouse moves before a press becomes a drag
const EDGE = 48; // px from a border where the board scrolls by itself

class Board extends HTMLElement {
  #drag = null;
  #lift = null;
  #line = make("div", { class: "drop-line", "aria-hidden": "true" });

  connectedCallback() {
    if (this.ready) return;
    this.ready = true;
    this.addEventListener("pointerdown", (e) => this.#down(e));
    this.addEventListener("pointermove", (e) => this.#move(e));
    this.addEventListener("pointerup", (e) => this.#up(e));
    this.addEventListener("pointercancel", () => this.#cancel());
    this.addEventListener("touchmove", (e) => this.#drag?.ghost && e.preventDefault(), { passive: false });
    this.addEventListener("contextmenu", (e) => this.#drag && e.preventDefault());
    this.addEventListener("dragstart", (e) => e.preventDefault());
    this.addEventListener("click", (e) => this.#click(e), true);
    this.addEventListener("keydown", (e) => this.#key(e));
    this.addEventListener("focusout", (e) => this.#lift && !this.#lift.card.contains(e.relatedTarget) && !this.#lift.moving && this.#putBack());
  }

  // --- pointer -----------------------------------------------------------

  #down(event) {
    const card = event.target.closest(".card[data-move]");
    if (!card?.dataset.move || event.button !== 0 || event.target.closest("button, [popover], input, select")) return;
    this.#drag = { card, x: event.clientX, y: event.clientY, id: event.pointerId, touch: event.pointerType === "touch" };
    if (this.#drag.touch) this.#drag.timer = setTimeout(() => this.#start(), HOLD);
  }

  #move(event) {
    const drag = this.#drag;
    if (!drag || event.pointerId !== drag.id) return;
    const far = Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > SLOP;
    if (!drag.ghost) {
      if (!far) return;
      if (drag.touch) return this.#cancel();
      this.#start();
    }
    drag.last = { x: event.clientX, y: event.clientY };
    this.#follow();
  }

  #start() {
    const drag = this.#drag;
    const box = drag.card.getBoundingClientRect();
    drag.dx = drag.x - box.left;
    drag.dy = drag.y - box.top;
    drag.last ??= { x: drag.x, y: drag.y };
    drag.ghost = drag.card.cloneNode(true);
    drag.ghost.removeAttribute("id");
    drag.ghost.classList.add("ghost");
    drag.ghost.style.width = `${box.width}px`;
    document.body.append(drag.ghost);
    drag.card.classList.add("hole");
    this.classList.add("dragging"); // snapping would pull the board back at the edges
    this.setPointerCapture(drag.id);
    navigator.vibrate?.(8);
    this.#follow();
    this.#scroll();
  }

  #follow() {
    const { ghost, last, dx, dy } = this.#drag;
    ghost.style.transform = `translate(${last.x - dx}px, ${last.y - dy}px)`;
    const column = this.#columnAt(last.x);
    for (const c of this.#columns()) c.classList.toggle("over", c === column);
    this.#drag.column = column;
    if (!column) return this.#line.remove();
    const before = this.#cardAt(column, last.y);
    one(".cards", column).insertBefore(this.#line, before);
  }

  // #scroll moves board and column along while the card is held at an edge.
  #scroll() {
    const drag = this.#drag;
    if (!drag?.ghost) return;
    const box = this.getBoundingClientRect();
    this.scrollLeft += pull(drag.last.x, box.left, box.right);
    const list = drag.column && one(".cards", drag.column);
    if (list) {
      const inner = list.getBoundingClientRect();
      list.scrollTop += pull(drag.last.y, inner.top, inner.bottom);
    }
    requestAnimationFrame(() => this.#scroll());
  }

  #up(event) {
    const drag = this.#drag;
    if (!drag || event.pointerId !== drag.id) return;
    const { card, ghost, column } = drag;
    const before = nextCard(this.#line, card);
    this.#cancel();
    if (!ghost) return;
    this.swallow = true; // the click that follows a drag is no click
    setTimeout(() => (this.swallow = false));
    if (column) this.#drop(card, column, before);
  }

  #cancel() {
    clearTimeout(this.#drag?.timer);
    this.#drag?.ghost?.remove();
    this.#drag?.card.classList.remove("hole");
    this.classList.remove("dragging");
    for (const c of this.#columns()) c.classList.remove("over");
    this.#line.remove();
    this.#drag = null;
  }

  #click(event) {
    if (!this.swallow) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #columns() {
    return all(".column", this);
  }

  #columnAt(x) {
    return this.#columns().find((c) => {
      const box = c.getBoundingClientRect();
      return x >= box.left && x <= box.right;
    });
  }

  #cardAt(column, y) {
    return all(".card:not(.hole)", column).find((card) => {
      const box = card.getBoundingClientRect();
      return y < box.top + box.height / 2;
    }) ?? null;
  }

  // --- dropping ----------------------------------------------------------

  async #drop(card, column, before) {
    const home = { list: card.parentElement, next: card.nextElementSibling };
    if (home.list === one(".cards", column) && (before === home.next || before === card)) return;
    await this.#send(card, column, before, home);
  }

  async #send(card, column, before, home) {
    const fields = new URLSearchParams({ stage_id: column.dataset.stage, version: card.dataset.version });
    if (column.dataset.outcome === "lost") {
      const reason = await this.#askReason(card);
      if (reason == null) return place(card, home);
      fields.set("lost_reason", reason);
    }
    one(".cards", column).insertBefore(card, before);
    fields.set("position", String(all(".card", column).indexOf(card)));
    card.classList.add("sent");
    const done = await post(card.dataset.move, fields);
    card.classList.remove("sent");
    if (!done && card.isConnected) place(card, home);
    say(done ? words.dropped(nameOf(card), nameOf(column)) : words.putBack(nameOf(card)));
    document.getElementById(card.id)?.focus({ preventScroll: true });
  }

  async #askReason(card) {
    const dialog = document.getElementById("lost");
    if (!dialog) return "";
    one("[data-card-name]", dialog).textContent = nameOf(card);
    return (await choose(dialog)) === "yes" ? one("[name=lost_reason]", dialog).value : null;
  }

  // --- keyboard ----------------------------------------------------------

  #key(event) {
    const card = event.target.closest(".card[tabindex]");
    if (!card || event.target !== card) return;
    const run = this.#lift ? this.#liftedKey(event.key) : this.#restingKey(event.key, card);
    if (!run) return;
    event.preventDefault();
    event.stopPropagation();
    run();
  }

  #restingKey(key, card) {
    const near = { ArrowDown: () => neighbour(card, 1), ArrowUp: () => neighbour(card, -1), ArrowRight: () => this.#beside(card, 1), ArrowLeft: () => this.#beside(card, -1) }[key];
    if (near) return () => near()?.focus();
    if (key === "Enter") return () => one("a", card).click();
    if (key === " " && card.dataset.move) return () => this.#pickUp(card);
    return null;
  }

  #liftedKey(key) {
    return {
      ArrowDown: () => this.#nudge(0, 1), ArrowUp: () => this.#nudge(0, -1), ArrowRight: () => this.#nudge(1, 0), ArrowLeft: () => this.#nudge(-1, 0),
      " ": () => this.#putDown(), Enter: () => this.#putDown(), Escape: () => this.#putBack(),
    }[key];
  }

  #pickUp(card) {
    this.#lift = { card, home: { list: card.parentElement, next: card.nextElementSibling } };
    card.classList.add("lifted");
    say(words.lifted(nameOf(card)));
  }

  #nudge(columns, rows) {
    const { card } = this.#lift;
    const list = this.#columns();
    const at = list.indexOf(card.closest(".column"));
    const column = list[Math.max(0, Math.min(list.length - 1, at + columns))];
    const others = all(".card", column).filter((c) => c !== card);
    const row = all(".card", card.closest(".column")).indexOf(card);
    const to = Math.max(0, Math.min(others.length, row + rows));
    this.#lift.moving = true; // moving an element drops its focus for a moment
    one(".cards", column).insertBefore(card, others[to] ?? null);
    card.focus();
    card.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.#lift.moving = false;
    say(words.movedTo(nameOf(card), nameOf(column), to + 1, others.length + 1));
  }

  #putDown() {
    const { card, home } = this.#lift;
    this.#end(card);
    const column = card.closest(".column");
    const before = card.nextElementSibling;
    if (home.list === card.parentElement && home.next === before) return;
    this.#send(card, column, before, home);
  }

  #putBack() {
    const { card, home } = this.#lift;
    this.#end(card);
    place(card, home);
    card.focus();
    say(words.putBack(nameOf(card)));
  }

  #end(card) {
    this.#lift = null;
    card.classList.remove("lifted");
  }

  #beside(card, by) {
    const columns = this.#columns().filter((c) => one(".card", c));
    const next = columns[columns.indexOf(card.closest(".column")) + by];
    if (!next) return null;
    const middle = card.getBoundingClientRect().top;
    return all(".card", next).reduce((best, c) => (Math.abs(c.getBoundingClientRect().top - middle) < Math.abs(best.getBoundingClientRect().top - middle) ? c : best));
  }
}

function neighbour(card, by) {
  const cards = all(".card", card.parentElement);
  return cards[cards.indexOf(card) + by];
}

function nextCard(line, card) {
  let next = line.nextElementSibling;
  if (next === card) next = next.nextElementSibling;
  return next;
}

function place(card, { list, next }) {
  list.insertBefore(card, next?.parentElement === list ? next : null);
}

function nameOf(node) {
  return (one(".name", node) ?? one("h2 .cut", node))?.textContent.trim() ?? "";
}

// pull is how many pixels to scroll this frame, growing towards the edge.
function pull(at, start, end) {
  if (at < start + EDGE) return -Math.ceil((start + EDGE - at) / 5);
  if (at > end - EDGE) return Math.ceil((at - end + EDGE) / 5);
  return 0;
}

customElements.define("crm-board", Board);
