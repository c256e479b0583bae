// Choosing many things in a grid: by click, by Shift and click, and by keyboard alone.
//
//   <form data-pick data-pick-words="face,faces">   the grid and what can be done with it
//     <li> <input type=checkbox data-pick-box> <label for=…>   one thing
//     <div data-pick-bar>        shown while something is chosen
//       <p data-pick-count>      says how many
//       <button data-pick-one>   needs exactly one
//
// Without this script these are plain checkboxes in a form.
"use strict";

(() => {
  const start = (root) => {
    const boxes = () => [...root.querySelectorAll("[data-pick-box]")];
    const bar = root.querySelector("[data-pick-bar]");
    const count = root.querySelector("[data-pick-count]");
    const [one, many] = (root.dataset.pickWords || "face,faces").split(",");
    let anchor = null;

    const refresh = () => {
      const chosen = boxes().filter((box) => box.checked).length;
      if (bar) bar.hidden = !chosen;
      if (count) count.textContent = `${chosen.toLocaleString()} ${chosen === 1 ? one : many} chosen`;
      for (const button of root.querySelectorAll("[data-pick-one]")) button.disabled = chosen !== 1;
      root.dispatchEvent(new CustomEvent("pick-changed", { bubbles: true, detail: { chosen } }));
    };

    // Only one box can be reached with Tab; arrows go on from there.
    const current = (box) => {
      for (const each of boxes()) each.tabIndex = each === box ? 0 : -1;
    };

    const range = (from, to, checked) => {
      const all = boxes();
      const [first, last] = [all.indexOf(from), all.indexOf(to)].sort((a, b) => a - b);
      for (const box of all.slice(Math.max(first, 0), last + 1)) box.checked = checked;
    };

    const choose = (box, shift) => {
      if (shift && anchor && root.contains(anchor)) {
        range(anchor, box, anchor.checked);
      } else {
        box.checked = !box.checked;
        anchor = box;
      }
      current(box);
      refresh();
    };

    const columns = (all) => {
      const top = (box) => box.closest("li").offsetTop;
      const width = all.findIndex((box) => top(box) !== top(all[0]));
      return width === -1 ? all.length : width;
    };

    const step = (key, all, place) => {
      switch (key) {
        case "ArrowRight": return place + 1;
        case "ArrowLeft": return place - 1;
        case "ArrowDown": return place + columns(all);
        case "ArrowUp": return place - columns(all);
        case "Home": return 0;
        case "End": return all.length - 1;
        default: return null;
      }
    };

    root.addEventListener("mousedown", (event) => {
      // A click with Shift would mark text as well.
      if (event.shiftKey && event.target.closest("label")) event.preventDefault();
    });

    root.addEventListener("click", (event) => {
      const box = event.target.closest("[data-pick-box]");
      if (box) {
        // The browser has changed this box already; a range starts from the one before.
        if (event.shiftKey && anchor && anchor !== box) {
          range(anchor, box, anchor.checked);
        } else {
          anchor = box;
        }
        current(box);
        refresh();
        return;
      }
      const label = event.target.closest("label");
      const wanted = label && label.htmlFor && document.getElementById(label.htmlFor);
      if (wanted && wanted.matches("[data-pick-box]")) {
        event.preventDefault();
        wanted.focus();
        choose(wanted, event.shiftKey);
      }
    });

    root.addEventListener("keydown", (event) => {
      const box = event.target.closest("[data-pick-box]");
      if (!box || event.altKey || event.ctrlKey || event.metaKey) return;
      const all = boxes();
      const to = step(event.key, all, all.indexOf(box));
      if (to !== null) {
        event.preventDefault();
        const next = all[Math.min(Math.max(to, 0), all.length - 1)];
        if (event.shiftKey) {
          range(box, next, true);
          anchor = next;
          refresh();
        }
        current(next);
        next.focus();
      } else if (event.key === "a" || event.key === "A") {
        event.preventDefault();
        const checked = !all.every((each) => each.checked);
        for (const each of all) each.checked = checked;
        refresh();
      } else if (event.key === "Escape") {
        for (const each of all) each.checked = false;
        refresh();
      } else if (event.key === "Enter") {
        event.preventDefault(); // it would press the first button
      }
    });

    const first = boxes()[0];
    if (first) current(first);
    refresh();
  };

  const begin = () => {
    for (const root of document.querySelectorAll("[data-pick]:not([data-pick-ready])")) {
      root.dataset.pickReady = "";
      start(root);
    }
  };
  begin();
  document.addEventListener("htmx:load", begin);
  // Coming back with the browser's Back button, boxes are as they were left.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const box of document.querySelectorAll("[data-pick-box]")) box.checked = false;
    for (const bar of document.querySelectorAll("[data-pick-bar]")) bar.hidden = true;
  });
})();
