// crm-passkey: asks the browser for a passkey. The page works without it, by password
// and code; where the browser knows no passkeys the element stays hidden.
import { all, one } from "./dom.js";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// read turns the base64url texts of the server's options into bytes.
function read(options) {
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const list of [options.allowCredentials, options.excludeCredentials]) for (const c of list ?? []) c.id = bytes(c.id);
  return options;
}

// write turns what the browser gave into what the server reads.
function write(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response, clientExtensionResults: {} };
}

async function send(url, body) {
  const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json", "X-Async": "1" }, body: JSON.stringify(body) });
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(json.errors?.[0]?.message ?? json.detail ?? json.title);
  return json;
}

class Passkey extends HTMLElement {
  connectedCallback() {
    if (!window.PublicKeyCredential) return;
    this.hidden = false;
    one(":scope > button", this).addEventListener("click", () => this.run()); // fields may bring buttons of their own
  }

  async run() {
    const trouble = one(":scope > .error", this);
    trouble.hidden = true;
    try {
      const fields = Object.fromEntries(all("input", this).map((i) => [i.name, i.value]));
      const options = await send(this.dataset.begin, fields);
      const key = read(options.publicKey);
      const credential = await (key.rp ? navigator.credentials.create({ publicKey: key }) : navigator.credentials.get({ publicKey: key }));
      const done = await send(this.dataset.finish, { ...fields, credential: write(credential) });
      location.assign(done.to);
    } catch (error) {
      trouble.textContent = error instanceof DOMException ? this.dataset.failed : error.message || this.dataset.failed;
      trouble.hidden = false;
    }
  }
}

customElements.define("crm-passkey", Passkey);
