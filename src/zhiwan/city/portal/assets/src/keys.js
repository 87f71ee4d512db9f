// Keyboard: `/` goes to the search box, arrows walk through results and table rows, Escape closes.

const typing = (element) => element.closest("input, textarea, select, [contenteditable]");

function step(items, current, by) {
  const list = [...items];
  const next = list[list.indexOf(current) + by];
  if (next) next.focus();
  return Boolean(next);
}

export function startKeys() {
  const box = document.querySelector("#search-box");
  const results = document.querySelector("#search-results");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (event.key === "/" && !typing(target) && box) {
      event.preventDefault();
      box.focus();
      box.select();
    } else if (event.key === "Escape" && results?.firstChild && target.closest("#search")) {
      results.replaceChildren();
      box.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const by = event.key === "ArrowDown" ? 1 : -1;
      if (target.closest("#search")) {
        event.preventDefault();
        if (target === box && by === 1) results.querySelector("a")?.focus();
        else if (!step(results.querySelectorAll("a"), target, by)) box.focus();
      } else if (target.matches("a.row-link")) {
        event.preventDefault();
        step(target.closest("table").querySelectorAll("a.row-link"), target, by);
      }
    }
  });
  document.addEventListener("click", (event) => {
    if (results?.firstChild && !event.target.closest("#search")) results.replaceChildren();
  });
}
