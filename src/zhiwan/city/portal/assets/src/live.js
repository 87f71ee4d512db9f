// The live stream of the page: one EventSource to the `live` process, opened with a short-lived signed ticket.
//
// Server events: `changes` (a list of hints), `beat` (still alive), `reload` (this page was too slow; fetch anew).
// Effects on the page:
//   [data-live-value="entity:property"]   text becomes the value (data-decimals, data-choices="关|开")
//   time[data-live-at="entity:property"]  takes the time of the reading
//   [data-live-region="alarm case"]       is fetched again by htmx (hx-trigger="refresh") when such a thing changed
// Modules (map, chart) listen to the document event `live:changes`, detail = the list.

import { refreshAge } from "./ages.js";
import { leave } from "./presence.js";
import { ofThisSpace } from "./space.js";
import { partName, text } from "./texts.js";

const QUIET = 25_000; // beats come every 10 s; so long without one means the stream is dead
const REGION_PAUSE = 300;
const REGION_REST = 2000; // a storm of changes must not become a storm of requests
const pending = new Map();

// live · waiting · lost (this page may be old) · trouble (it is fresh, but a part of the platform is not well)
function setState(state, parts = []) {
  const lamp = document.querySelector("#live-state");
  if (!lamp) return;
  const says = text(state, { parts: parts.map(partName).join(text("comma")) });
  const words = lamp.querySelector("span");
  if (lamp.dataset.state === state && words.textContent === says) return;
  lamp.dataset.state = state;
  words.textContent = says;
}

export function formatValue(value, decimals, choices = []) {
  if (value === null || value === undefined) return "–";
  return choices[value] ?? Number(value).toFixed(decimals ?? 2);
}

function showValues(values) {
  const newest = new Map(values.map((hint) => [`${hint.entity}:${hint.property}`, hint]));
  for (const element of document.querySelectorAll("[data-live-value]")) {
    const hint = newest.get(element.dataset.liveValue);
    if (!hint) continue;
    const choices = element.dataset.choices ? element.dataset.choices.split("|") : [];
    element.textContent = formatValue(hint.value, Number(element.dataset.decimals ?? 2), choices);
    element.classList.remove("is-new");
    void element.offsetWidth; // restarts the animation
    element.classList.add("is-new");
  }
  for (const element of document.querySelectorAll("[data-live-at]")) {
    const hint = newest.get(element.dataset.liveAt);
    if (!hint) continue;
    element.dateTime = new Date(hint.at).toISOString();
    if (element.hasAttribute("data-age")) refreshAge(element);
  }
}

// A region is fetched soon after a change and then rests, and not while someone types or reads a menu in it.
function refreshRegion(region) {
  if (pending.has(region)) return;
  const since = Date.now() - Number(region.dataset.refreshedAt ?? 0);
  pending.set(region, setTimeout(() => {
    pending.delete(region);
    if (!region.isConnected || region.contains(document.activeElement?.closest("input, select, textarea, details[open]"))) return;
    region.dataset.refreshedAt = Date.now();
    region.dispatchEvent(new CustomEvent("refresh"));
  }, Math.max(REGION_PAUSE, REGION_REST - since)));
}

function refreshRegions(kinds) {
  for (const region of document.querySelectorAll("[data-live-region]")) {
    if (!kinds || region.dataset.liveRegion.split(" ").some((kind) => kinds.has(kind))) refreshRegion(region);
  }
}

function take(changes) {
  const values = changes.filter((hint) => hint.kind === "value");
  if (values.length) showValues(values);
  refreshRegions(new Set(changes.map((hint) => hint.kind)));
  document.dispatchEvent(new CustomEvent("live:changes", { detail: changes }));
}

export function startLive() {
  const page = document.body.dataset;
  if (!page.liveTicketUrl) return;
  let stream, watchdog, pause = 1000, broken = false;
  // What was told between the making of this page (or the last beat) and the opening of its stream is told first.
  let since = page.liveSince;

  const again = () => {
    stream?.close();
    clearTimeout(watchdog);
    setState("lost");
    broken = true;
    setTimeout(open, pause + Math.random() * 500);
    pause = Math.min(pause * 2, 30_000);
  };
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(again, QUIET);
  };
  const fetchAll = () => {
    refreshRegions(null);
    document.dispatchEvent(new CustomEvent("live:reload"));
  };

  async function open() {
    let address;
    try {
      // The ticket says which of the values this page shows may be heard by the post.
      const ask = `${page.liveTicketUrl}?values=${encodeURIComponent(page.liveValues ?? "none")}`;
      const answer = await fetch(ask, { headers: { Accept: "application/json" } });
      if (!ofThisSpace(answer.headers)) return;
      if (answer.status === 401 || answer.redirected) return leave();
      ({ address } = await answer.json());
    } catch {
      return again();
    }
    const url = new URL(address, location.href);
    url.searchParams.set("values", page.liveValues ?? "none");
    url.searchParams.set("since", since);
    const before = stream;
    stream = new EventSource(url);
    stream.onopen = () => {
      alive();
      before?.close();
      pause = 1000;
      // It may have been away for longer than changes are remembered: look again at everything once.
      if (broken) fetchAll();
      broken = false;
    };
    const mine = stream;
    stream.onerror = () => mine === stream && again();
    stream.addEventListener("beat", (event) => {
      alive();
      // The stream may live while the bus behind it does not: then nothing would change here, and we say so.
      const { bus, unwell = [], now } = JSON.parse(event.data);
      since = now;
      setState(!bus ? "lost" : unwell.length ? "trouble" : "live", unwell);
    });
    stream.addEventListener("changes", (event) => {
      alive();
      take(JSON.parse(event.data));
    });
    stream.addEventListener("reload", fetchAll);
    // A stream lives a few minutes: a new one opens with a new ticket before the old one ends, and nothing is missed.
    stream.addEventListener("renew", open);
  }

  setState("waiting");
  open();
  addEventListener("pagehide", () => stream?.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}
