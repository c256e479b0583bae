// Answering with single keys: each button or summary with data-key="y" is pressed by that key.
"use strict";

(() => {
  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
    if (event.key === "Escape") {
      const open = document.querySelector("[data-review] details[open]");
      if (open) {
        open.open = false;
        open.querySelector("summary").focus();
      }
      return;
    }
    if (typing(event.target) || !/^[a-z]$/i.test(event.key)) return;
    const wanted = document.querySelector(`[data-review] [data-key="${event.key.toLowerCase()}"]`);
    if (!wanted) return;
    event.preventDefault();
    wanted.click();
    // At once, so that the first letter of the name is no answer.
    const details = wanted.closest("details");
    if (details && details.open) details.querySelector("input[type=text]").focus();
  });

  // Who asks for someone else by mouse wants to write the name too.
  document.addEventListener("toggle", (event) => {
    const details = event.target;
    if (details.matches("[data-review] details[open]")) details.querySelector("input[type=text]").focus();
  }, true);

  // What stood above the first question is old once it is answered; and a screen reader reads the
  // next question.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "review") return;
    document.querySelector("main > .messages")?.remove();
    document.getElementById("review-question")?.focus({ preventScroll: true });
  });
})();
