// Menus are <details>: they open without scripts. Here: one at a time, Escape and a click elsewhere close them.

function close(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
}

export function startMenus() {
  // On a phone the menu is one row that scrolls: the current entry has to be in sight.
  const current = document.querySelector(".sidenav a[aria-current]");
  if (current) current.parentElement.scrollLeft = current.offsetLeft - 120;
  document.addEventListener("click", (event) => close(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  // What failed to load inside a page says so in its place instead of leaving an old or an empty one.
  document.addEventListener("htmx:error", (event) => console.info("htmx:", event.detail?.error?.message ?? event.detail));
}
