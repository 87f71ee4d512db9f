// A form or button with data-confirm asks first, in a <dialog> of the page (keyboard and screen reader included).

import { text } from "./texts.js";

function ask(question) {
  const dialog = document.createElement("dialog");
  dialog.className = "ask";
  const form = document.createElement("form");
  form.method = "dialog";
  const sentence = document.createElement("p");
  sentence.textContent = question;
  const row = document.createElement("div");
  row.className = "btn-list justify-content-end";
  for (const [value, style] of [["cancel", "btn"], ["confirm", "btn btn-primary"]]) {
    const button = document.createElement("button");
    button.value = value;
    button.className = style;
    button.textContent = text(value);
    row.append(button);
  }
  form.append(sentence, row);
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  row.lastChild.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "confirm");
    });
  });
}

export function startDialogs() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (!question || form.dataset.confirmed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!(await ask(question))) return;
    form.dataset.confirmed = "yes";
    form.requestSubmit(event.submitter ?? undefined);
    delete form.dataset.confirmed;
  }, true);
  // A filter takes effect as soon as it is chosen; without scripts its button does it.
  document.addEventListener("change", (event) => {
    if (event.target.matches("form[data-auto] select, form[data-auto] input[type=checkbox]")) event.target.form.requestSubmit();
  });
}
