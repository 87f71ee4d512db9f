// A page shows one space, and says so. The space is chosen in the session: another tab may step into a story, or the
// story may be dropped, while this page stands. An answer from another space is not shown here; the page loads anew.

export function ofThisSpace(headers) {
  const told = headers.get("X-Zhiwan-Space");
  if (!told || told === (document.body.dataset.space ?? "live")) return true;
  location.reload();
  return false;
}

export function startSpace() {
  document.addEventListener("htmx:before:response", (event) => {
    if (!ofThisSpace(event.detail.ctx.response.headers)) event.preventDefault();
  });
}
