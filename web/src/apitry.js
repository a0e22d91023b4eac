// Trying calls of the API on its pages. The key stays in the tab; it goes nowhere but
// into the header of calls to this installation, and cookies are left out, so that a
// call does exactly what it would do from a program.
import { all, make, one } from "./dom.js";
import { words } from "./words.js";

const KEPT = "crm-api-key";

// crm-api-key: the field for the key, kept while the tab is open.
class Key extends HTMLElement {
  connectedCallback() {
    const input = one("input", this);
    input.value = sessionStorage.getItem(KEPT) ?? "";
    input.addEventListener("input", () => sessionStorage.setItem(KEPT, input.value.trim()));
    this.hidden = false;
  }
}

// crm-api-try: the form of one call and its answer.
class Try extends HTMLElement {
  connectedCallback() {
    this.hidden = false;
    one("form", this).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  async #send() {
    const answer = one("[data-answer]", this);
    const key = sessionStorage.getItem(KEPT) ?? "";
    if (!key && this.dataset.open !== "true") {
      answer.replaceChildren(make("p", { class: "state bad" }, words.noKey));
      one("#api-key")?.focus();
      return;
    }
    const request = this.#request(key);
    if (request.problem) return answer.replaceChildren(make("p", { class: "state bad" }, request.problem));
    answer.replaceChildren(make("p", { class: "quiet" }, words.sending));
    const began = performance.now();
    try {
      const response = await fetch(request.url, request.options);
      answer.replaceChildren(...this.#told(response, await response.text(), Math.round(performance.now() - began)));
    } catch {
      answer.replaceChildren(make("p", { class: "state bad" }, words.offline));
    }
  }

  #request(key) {
    let path = this.dataset.path;
    const query = new URLSearchParams();
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    let body;
    for (const field of all("[data-in]", this)) {
      const value = field.value.trim();
      if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(value));
      else if (!value) continue;
      else if (field.dataset.in === "header") headers[field.name] = value;
      else if (field.dataset.in === "body") body = value;
      // Filters are typed as they stand in an address: lifecycle=customer&name[contains]=a
      else if (field.name === "filters") for (const [name, one] of new URLSearchParams(value)) query.append(name, one);
      else query.set(field.name, value);
    }
    if (body != null) {
      try {
        JSON.parse(body);
      } catch (error) {
        return { problem: words.notJSON(error.message) };
      }
      headers["Content-Type"] = "application/json";
    }
    const asked = query.size ? `?${query}` : "";
    return { url: `${new URL(this.dataset.server).pathname}${path}${asked}`, options: { method: this.dataset.method, headers, body, credentials: "omit" } };
  }

  #told(response, text, ms) {
    let shown = text;
    if ((response.headers.get("Content-Type") ?? "").includes("json")) {
      try {
        shown = JSON.stringify(JSON.parse(text), null, 2);
      } catch {
        // shown as it came
      }
    }
    const kept = ["content-type", "etag", "location", "retry-after", "ratelimit", "idempotency-replayed"];
    const headers = kept.filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
    return [
      make("p", { class: `state ${response.ok ? "good" : "bad"}` }, make("b", { class: "num" }, `${response.status} ${response.statusText}`), words.took(ms)),
      make("pre", { tabindex: "0" }, headers.join("\n")),
      make("pre", { tabindex: "0" }, make("code", {}, shown)),
    ];
  }
}

customElements.define("crm-api-key", Key);
customElements.define("crm-api-try", Try);
