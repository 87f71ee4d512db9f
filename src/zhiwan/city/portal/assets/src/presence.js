// Whether a person is at this page. Keys and pointer are told to the server once a minute, because what a page fetches by
// itself does not keep a session alive; before the time is over the page asks, and at its end it signs out.
// Pages of one browser share what they know, so that a page in the background does not sign out the one in use.

import { text } from "./texts.js";

const SHARED = "zhiwan-here"; // when a person was last seen on any page of this browser
const TELL_EVERY = 60_000;
const WARN_BEFORE = 60_000;
const LOOK_EVERY = 5_000;

const shared = {
  read: () => { try { return Number(localStorage.getItem(SHARED)) || 0; } catch { return 0; } },
  write: (at) => { try { localStorage.setItem(SHARED, at); } catch { /* private windows keep nothing */ } },
};

function tell(body = {}) {
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
  return fetch("/here", { method: "POST", headers: { "X-CSRFToken": token }, body: new URLSearchParams(body), keepalive: true });
}

// The session ended, here or elsewhere: nothing of it may stay on the screen. Once: the sign-in page says why only once.
let left = false;
// Who signs out by the button is on the way already when the stream is cut.
addEventListener("submit", (event) => { left ||= event.target.getAttribute("action") === "/out"; });
export function leave() {
  if (left) return;
  left = true;
  location.assign(`/in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

export function startPresence() {
  const limit = Number(document.body.dataset.idleSeconds ?? 0) * 1000;
  if (!limit) return;
  let seen = Date.now(), told = seen, dialog;
  shared.write(seen);

  const note = () => {
    seen = Date.now();
    if (seen - told < TELL_EVERY) return;
    told = seen;
    shared.write(seen);
    tell().then((answer) => answer.status === 401 && leave()).catch(() => {});
  };
  const ask = () => {
    dialog = document.createElement("dialog");
    dialog.className = "ask";
    const sentence = document.createElement("p");
    sentence.textContent = text("idle");
    const stay = document.createElement("button");
    stay.className = "btn btn-primary";
    stay.textContent = text("stay");
    stay.addEventListener("click", () => dialog.close());
    dialog.append(sentence, stay);
    dialog.addEventListener("close", () => {
      dialog.remove();
      dialog = undefined;
      told = 0;
      note();
    });
    document.body.append(dialog);
    dialog.showModal();
  };
  const look = async () => {
    const idle = Date.now() - Math.max(seen, shared.read());
    if (idle >= limit) {
      clearInterval(looking);
      await tell({ idle: 1 }).catch(() => {});
      leave();
    } else if (idle >= limit - WARN_BEFORE && !dialog) ask();
    else if (idle < limit - WARN_BEFORE && dialog) dialog.close(); // a person is at another page of this browser
  };
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
    addEventListener(kind, () => dialog || note(), { passive: true });
  }
  const looking = setInterval(look, LOOK_EVERY);
}
