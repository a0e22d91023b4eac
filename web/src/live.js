// Live updates: the server only says which record changed; the page fetches itself
// again, with the rights of its reader. One connection serves all tabs of a
// browser: the holder of a lock listens and tells the others.
import { all, one, root } from "./dom.js";
import { refresh } from "./page.js";

const waiting = new Set();
let timer;

export function startLive() {
  const address = root.dataset.live;
  poll();
  if (!address || !("EventSource" in window)) return;
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(`crm-live:${address}`) : null;
  channel?.addEventListener("message", (event) => receive(event.data));
  document.addEventListener("visibilitychange", () => !document.hidden && waiting.size && later());
  const open = () => listen(address, channel);
  if (!navigator.locks) return open();
  navigator.locks.request(`crm-live:${address}`, () => new Promise(() => open()));
}

function listen(address, channel) {
  const source = new EventSource(address);
  const tell = (message) => {
    receive(message);
    channel?.postMessage(message);
  };
  source.addEventListener("open", () => tell({ online: true }));
  source.addEventListener("error", () => tell({ online: false }));
  source.addEventListener("change", (event) => tell({ change: JSON.parse(event.data) }));
}

function receive({ online, change }) {
  if (online != null) root.dataset.online = String(online);
  if (change && watched(change)) {
    waiting.add(change.id);
    if (!document.hidden) later();
  }
}

function watched({ object, id }) {
  return all("[data-watch]").some(({ dataset }) => dataset.watch === "*" || dataset.watch === object || dataset.watch === `${object}/${id}`);
}

// later gathers a burst into one fetch and spreads many browsers over half a second.
function later() {
  clearTimeout(timer);
  timer = setTimeout(flush, 120 + Math.random() * 400);
}

function flush() {
  if (one(".card.lifted, .card.ghost, .card.sent")) return later();
  const changed = new Set(waiting);
  waiting.clear();
  refresh({ live: true, changed });
}

// poll keeps a running import true where the stream does not reach.
function poll() {
  setInterval(() => {
    if (!document.hidden && one("[data-poll]")) refresh({ live: true });
  }, 2000);
}
