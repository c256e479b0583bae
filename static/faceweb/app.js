// Small things that every page shares.
"use strict";

// The account menu closes when something else is clicked, and with Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A form with data-announce="something" tells the page when its request went well,
// so that other parts of the page can fetch themselves again.
document.addEventListener("htmx:afterRequest", (event) => {
  // The form itself may be gone from the page by now; the request still knows it.
  const { requestConfig, successful } = event.detail;
  const name = requestConfig?.elt?.dataset?.announce;
  if (name && successful) document.body.dispatchEvent(new CustomEvent(name));
});

// When a part of the page cannot be fetched, nothing would happen; so it is said.
const trouble = document.createElement("p");
trouble.className = "message message-error trouble";
trouble.setAttribute("role", "alert");
const complain = (sentence) => {
  trouble.textContent = sentence;
  document.body.append(trouble);
};
document.addEventListener("htmx:sendError", () => {
  complain("faceweb does not answer. Try again in a moment.");
});
document.addEventListener("htmx:responseError", (event) => {
  complain({
    403: "This page is too old to do that. Reload it, and try again.",
    404: "This is not here any more. Reload the page to see what is.",
  }[event.detail.xhr.status] || "Something went wrong. Reload the page, and try again.");
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) trouble.remove();
});

// Links that act like buttons answer to the space bar as buttons do.
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || !event.target.matches("a[role=button]")) return;
  event.preventDefault();
  event.target.click();
});

// Hints that only hold when scripts run.
document.addEventListener("DOMContentLoaded", () => {
  for (const hint of document.querySelectorAll("[data-with-script]")) hint.hidden = false;
});
