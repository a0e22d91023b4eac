// Small elements that improve one native control each.
import { all, debounce, make, one } from "./dom.js";
import { closeEdit } from "./keys.js";
import { words } from "./words.js";

// crm-edit: inline edit of a property. Opening puts the cursor into the control.
class Edit extends HTMLElement {
  connectedCallback() {
    const details = one("details", this);
    details.addEventListener("toggle", () => {
      const control = details.open && one("input:not([type=hidden]), select, textarea", details);
      if (!control) return;
      control.focus();
      control.select?.();
    });
    this.addEventListener("click", (event) => event.target.closest("[data-close-edit]") && closeEdit(details));
  }
}

// crm-composer: choosing the open tab again does not close it.
class Composer extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", (event) => {
      const details = event.target.closest("summary")?.parentElement;
      if (details?.parentElement !== this) return;
      if (details.open) event.preventDefault();
      else setTimeout(() => one("textarea, input:not([type=hidden]), select", details)?.focus());
    });
  }
}

// crm-reveal: look at the password one types.
class Reveal extends HTMLElement {
  connectedCallback() {
    if (one("button", this)) return;
    const input = one("input", this);
    const button = make("button", { type: "button", "aria-pressed": "false", "aria-controls": input.id }, words.show);
    button.addEventListener("click", () => {
      const shown = input.type === "text";
      input.type = shown ? "password" : "text";
      button.textContent = shown ? words.show : words.hide;
      button.setAttribute("aria-pressed", String(!shown));
    });
    input.form?.addEventListener("submit", () => (input.type = "password"));
    this.append(button);
  }
}

// crm-copy: a button that copies the field before it.
class Copy extends HTMLElement {
  connectedCallback() {
    if (one("button", this)) return;
    const input = one("input", this);
    const button = make("button", { type: "button", class: "button" }, words.copy);
    button.addEventListener("click", async () => {
      input.select();
      await navigator.clipboard?.writeText(input.value);
      button.textContent = words.copied;
      setTimeout(() => (button.textContent = words.copy), 2000);
    });
    this.append(button);
  }
}

// crm-file: drop a file onto the box.
class FileBox extends HTMLElement {
  connectedCallback() {
    const input = one("input", this);
    for (const name of ["dragenter", "dragover"]) this.addEventListener(name, (e) => (e.preventDefault(), this.classList.add("over")));
    for (const name of ["dragleave", "drop"]) this.addEventListener(name, () => this.classList.remove("over"));
    this.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) input.files = event.dataTransfer.files;
    });
  }
}

// crm-combo: a select with many choices becomes a field one types into; the select
// stays the value that is sent.
class Combo extends HTMLElement {
  #at = -1;

  connectedCallback() {
    const select = one("select", this);
    if (this.ready || !select || (select.options.length <= 12 && !this.dataset.lookup)) return;
    this.ready = true;
    this.select = select;
    this.field = make("input", { type: "text", role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": `${select.id}-list`, "aria-describedby": select.getAttribute("aria-describedby"), autocomplete: "off", id: `${select.id}-text`, placeholder: words.search });
    this.list = make("div", { class: "combo-list", role: "listbox", id: `${select.id}-list`, hidden: true });
    one(`label[for="${CSS.escape(select.id)}"]`)?.setAttribute("for", this.field.id);
    select.hidden = true;
    this.field.value = this.#label();
    this.append(this.field, this.list);
    this.field.addEventListener("input", () => this.#search(this.field.value));
    this.field.addEventListener("focus", () => this.field.select());
    this.field.addEventListener("click", () => this.#search(""));
    this.field.addEventListener("blur", () => setTimeout(() => this.#close(true), 120));
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) this.#take(option);
    });
  }

  #label() {
    const option = this.select.selectedOptions[0];
    return option?.value ? option.textContent : "";
  }

  #search = debounce(120, async (text) => {
    const wanted = text.trim().toLowerCase();
    const found = this.dataset.lookup ? await this.#ask(text) : [...this.select.options].filter((o) => o.value).map((o) => ({ value: o.value, label: o.textContent }));
    this.#draw(found.filter((o) => this.dataset.lookup || o.label.toLowerCase().includes(wanted)).slice(0, 50), text.trim());
  });

  async #ask(text) {
    const url = new URL(this.dataset.lookup, location.href);
    url.searchParams.set("q", text);
    const response = await fetch(url, { headers: { Accept: "application/json" } }).catch(() => null);
    const found = response?.ok ? await response.json().catch(() => []) : [];
    return Array.isArray(found) ? found : [];
  }

  #draw(found, text) {
    const options = found.map((o, i) => {
      const node = make("div", { role: "option", id: `${this.list.id}-${i}`, "aria-selected": "false", "data-value": o.value }, make("span", {}, o.label));
      if (o.hint) node.append(make("small", {}, o.hint));
      return node;
    });
    if (text && this.dataset.create) options.push(make("div", { role: "option", id: `${this.list.id}-new`, "aria-selected": "false", "data-create": text }, words.create(text)));
    this.list.replaceChildren(...(options.length ? options : [make("p", { class: "quiet" }, words.noMatch)]));
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
    this.#point(0);
  }

  #point(at) {
    const options = all("[role=option]", this.list);
    if (!options.length) return;
    this.#at = (at + options.length) % options.length;
    options.forEach((o, i) => o.setAttribute("aria-selected", String(i === this.#at)));
    this.field.setAttribute("aria-activedescendant", options[this.#at].id);
    options[this.#at].scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    const open = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      return open ? this.#point(this.#at + (event.key === "ArrowDown" ? 1 : -1)) : this.#search("");
    }
    if (event.key === "Enter" && open) {
      event.preventDefault();
      const option = all("[role=option]", this.list)[this.#at];
      return option && this.#take(option);
    }
    if (event.key === "Escape" && open) {
      event.stopPropagation();
      this.#close(true);
    }
  }

  #take(option) {
    const { value, create } = option.dataset;
    if (create) return location.assign(new URL(`${this.dataset.create}?name=${encodeURIComponent(create)}`, location.href));
    if (![...this.select.options].some((o) => o.value === value)) this.select.append(new Option(one("span", option).textContent, value));
    this.select.value = value;
    this.select.dispatchEvent(new Event("change", { bubbles: true }));
    this.#close(false);
    this.field.value = this.#label();
  }

  // Leaving with an empty field clears the value; other text goes back.
  #close(leaving) {
    if (leaving && this.field.value.trim() === "") this.select.value = "";
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
    if (leaving) this.field.value = this.#label();
  }
}

for (const [name, element] of [["crm-edit", Edit], ["crm-composer", Composer], ["crm-reveal", Reveal], ["crm-copy", Copy], ["crm-file", FileBox], ["crm-combo", Combo]]) {
  customElements.define(name, element);
}
