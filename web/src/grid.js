// crm-grid: selection in a list. The boxes belong to the bulk form, so without
// script they simply are a form.
import { all, one, root, say, typing } from "./dom.js";
import { words } from "./words.js";

class Grid extends HTMLElement {
  #last = null;
  #stop;

  connectedCallback() {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.addEventListener("change", (event) => this.#changed(event), { signal });
    this.addEventListener("click", (event) => this.#clicked(event), { signal });
    this.addEventListener("reset", () => setTimeout(() => this.#show()), { signal });
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    document.addEventListener("crm:page", () => this.#show(), { signal });
    this.#show();
  }

  disconnectedCallback() {
    this.#stop?.abort();
  }

  get boxes() {
    return all("tbody .pick input", this);
  }

  #changed(event) {
    if (event.target.matches("[data-all]")) this.boxes.forEach((box) => (box.checked = event.target.checked));
    if (event.target.closest(".pick")) this.#show();
  }

  // Shift extends the selection from the last box that was touched.
  #clicked(event) {
    const box = event.target.closest?.("tbody .pick input");
    if (!box) return;
    if (event.shiftKey && this.#last) this.#range(this.#last, box, box.checked);
    this.#last = box;
    this.#show();
  }

  #range(from, to, on) {
    const boxes = this.boxes;
    const [a, b] = [boxes.indexOf(from), boxes.indexOf(to)].sort((x, y) => x - y);
    if (a >= 0) boxes.slice(a, b + 1).forEach((box) => (box.checked = on));
  }

  #show() {
    const boxes = this.boxes;
    const count = boxes.filter((box) => box.checked).length;
    boxes.forEach((box) => box.closest("tr").classList.toggle("picked", box.checked));
    const every = one("[data-all]", this);
    if (every) {
      every.checked = count > 0 && count === boxes.length;
      every.indeterminate = count > 0 && count < boxes.length;
    }
    const output = one("[data-count]", this);
    if (output && output.textContent !== String(count)) output.textContent = String(count);
  }

  #key(event) {
    if (event.altKey || typing(event.target) || one("dialog[open]") || !this.boxes.length) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "a") return this.#all(event);
    if (event.key.toLowerCase() !== "x" || event.ctrlKey || event.metaKey || root.dataset.letters === "off") return;
    const box = one(".pick input", document.activeElement?.closest("tr") ?? document.createElement("i"));
    if (!box) return;
    event.preventDefault();
    box.checked = !box.checked;
    if (event.shiftKey && this.#last) this.#range(this.#last, box, box.checked);
    this.#last = box;
    this.#show();
    say(words.selected(this.boxes.filter((b) => b.checked).length));
  }

  #all(event) {
    event.preventDefault();
    this.boxes.forEach((box) => (box.checked = true));
    this.#show();
  }
}

customElements.define("crm-grid", Grid);
