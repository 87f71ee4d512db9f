// A button with data-copy puts the text of the element it names on the clipboard. Where the browser gives no clipboard
// (a page without TLS), the text is selected instead, ready for Ctrl+C.

function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

export function startCopying() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    const source = button && document.getElementById(button.dataset.copy);
    if (!source) return;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      if (button.dataset.copied) button.textContent = button.dataset.copied;
    } catch {
      select(source);
    }
  });
}
