// <time data-age datetime="…"> shows how old it is and keeps counting; data-age-limit (seconds) marks it as stale.

import { text } from "./texts.js";

export function describeAge(seconds) {
  if (seconds < -60) return text("ahead");
  if (seconds < 3) return text("now");
  if (seconds < 60) return text("seconds", { n: Math.floor(seconds) });
  if (seconds < 3600) return text("minutes", { n: Math.floor(seconds / 60) });
  if (seconds < 48 * 3600) return text("hours", { n: Math.floor(seconds / 3600) });
  return text("days", { n: Math.floor(seconds / 86400) });
}

export function refreshAge(element, now = Date.now()) {
  const at = Date.parse(element.dateTime);
  if (Number.isNaN(at)) return;
  const seconds = (now - at) / 1000;
  const shown = describeAge(seconds);
  if (element.textContent !== shown) element.textContent = shown;
  const limit = Number(element.dataset.ageLimit);
  if (limit) element.classList.toggle("is-stale", seconds > limit);
}

function refreshAll() {
  if (document.hidden) return;
  const now = Date.now();
  for (const element of document.querySelectorAll("time[data-age]")) refreshAge(element, now);
}

export function startAges() {
  refreshAll();
  setInterval(refreshAll, 1000);
  document.addEventListener("visibilitychange", refreshAll);
  document.addEventListener("htmx:after:swap", refreshAll);
}
