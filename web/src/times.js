// Keeps "3 min ago" true. Exact times are final text from the server.
import { all, root } from "./dom.js";

const steps = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [Infinity, "day", 86400]];

export function startTimes() {
  setInterval(update, 30000);
  document.addEventListener("crm:page", update);
}

function update() {
  const format = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "auto", style: "short" });
  for (const node of all("time[data-ago]")) {
    const seconds = (Date.parse(node.dateTime) - Date.now()) / 1000;
    const [, unit, size] = steps.find(([limit]) => Math.abs(seconds) < limit);
    node.textContent = unit === "second" ? format.format(0, "minute") : format.format(Math.round(seconds / size), unit);
  }
}
