// A short sound when a red alarm opens or an alarm turns red, if the person wants it: a switch in the header.
//
// Remembered by the browser (localStorage), off until chosen. Browsers keep a page silent until somebody clicked or
// typed on it; while that is so the switch says it. The two tones are made here, no file is loaded.

import { text } from "./texts.js";

const KEY = "zhiwan-sound";
const TONES = [[880, 0], [660, 0.22]]; // Hz, seconds from now
const LENGTH = 0.18;
const REST = 3000; // a storm of red alarms is one signal, not a siren
const RED = new Set(["red", "maroon", "purple"]); // the air scale goes on above red
let context;
let rang = -Infinity;

const red = new Set(); // alarms known to be red here: correcting one of them is no news

// Late data may turn an alarm red as well: that is told as `corrected`, and is as red as any other.
function turnsRed(hint) {
  if (hint.kind !== "alarm") return false;
  const isRed = RED.has(hint.tone) && hint.state === "open";
  const isNews = hint.event === "opened" || hint.event === "raised" || (hint.event === "corrected" && !red.has(hint.id));
  if (isRed) red.add(hint.id);
  else red.delete(hint.id);
  return isRed && isNews;
}

function ring() {
  if (context?.state !== "running" || performance.now() - rang < REST) return;
  rang = performance.now();
  for (const [pitch, after] of TONES) {
    const tone = new OscillatorNode(context, { frequency: pitch });
    const loudness = new GainNode(context, { gain: 0.2 });
    const begins = context.currentTime + after;
    loudness.gain.setValueAtTime(0.2, begins + LENGTH - 0.05);
    loudness.gain.linearRampToValueAtTime(0, begins + LENGTH); // an end cut off would click
    tone.connect(loudness).connect(context.destination);
    tone.start(begins);
    tone.stop(begins + LENGTH);
  }
}

// Storage may be forbidden (private windows): then the choice lasts as long as the page.
function remember(on) {
  try { localStorage.setItem(KEY, on ? "on" : "off"); } catch { /* see above */ }
}
function remembered() {
  try { return localStorage.getItem(KEY) === "on"; } catch { return false; }
}

export function startSound() {
  const button = document.querySelector("#sound");
  if (!button) return;
  const note = button.querySelector("span");
  let on = false;

  const show = () => {
    button.setAttribute("aria-pressed", String(on));
    note.textContent = !on ? "" : !window.AudioContext ? text("soundNone") : context?.state === "running" ? "" : text("soundWaits");
    button.setAttribute("aria-label", [text("sound"), note.textContent].filter(Boolean).join(", "));
    button.title = text("sound");
  };
  const wake = async () => {
    if (!on || !window.AudioContext) return;
    if (!context) {
      context = new AudioContext();
      context.onstatechange = show;
    }
    if (navigator.userActivation?.hasBeenActive ?? true) await context.resume();
    show();
  };
  const set = (wish) => {
    on = wish;
    if (on) wake();
    else context?.suspend();
    show();
  };

  button.addEventListener("click", async () => {
    set(!on);
    remember(on);
    if (!on) return;
    await wake();
    rang = -Infinity;
    ring(); // what was switched on is heard once
  });
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => context?.state !== "running" && wake());
  addEventListener("storage", (event) => event.key === KEY && set(event.newValue === "on"));
  document.addEventListener("live:changes", (event) => event.detail.filter(turnsRed).length > 0 && on && ring());
  button.hidden = false;
  set(remembered());
}
