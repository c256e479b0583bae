// Asking who is in a photo: choose it, drop it or paste it, and the search starts.
"use strict";

(() => {
  const form = document.querySelector("[data-search-form]");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  const zone = form.querySelector("[data-drop]");
  const chosen = form.querySelector("[data-chosen]");
  const preview = form.querySelector("[data-preview]");
  const status = form.querySelector("[data-status]");
  const problem = form.querySelector("[data-problem]");
  const button = form.querySelector("button[type=submit]");
  const maxMb = Number(form.dataset.maxMb) || 0;
  let url = "";
  // Choosing a photo starts the search, so the button has nothing left to do.
  button.hidden = true;

  const complain = (sentence) => {
    problem.textContent = sentence;
    problem.hidden = !sentence;
  };

  const start = () => {
    const file = input.files[0];
    if (!file) return;
    if (maxMb && file.size > maxMb * 1024 * 1024) {
      complain(`“${file.name}” is larger than ${maxMb} MB. Choose a smaller copy.`);
      input.value = "";
      chosen.hidden = true;
      return;
    }
    complain("");
    if (url) URL.revokeObjectURL(url);
    url = URL.createObjectURL(file);
    preview.hidden = false;
    preview.src = url;
    status.textContent = `Sending “${file.name}”…`;
    chosen.hidden = false;
    form.requestSubmit(button);
  };

  const take = (files) => {
    const file = files && files[0];
    if (!file) return;
    if (file.type && !file.type.startsWith("image/")) {
      complain(`“${file.name}” is not a picture. Choose a photo.`);
      return;
    }
    const transfer = new DataTransfer();
    transfer.items.add(file);
    input.files = transfer.files;
    start();
  };

  // Not every picture can be shown by every browser (HEIC); it is sent all the same.
  preview.addEventListener("error", () => { preview.hidden = true; });
  input.addEventListener("change", start);
  form.addEventListener("submit", () => {
    // Disabled a moment later, so that the browser still sends the form.
    setTimeout(() => { button.disabled = true; }, 0);
  });
  zone.addEventListener("click", (event) => {
    if (!event.target.closest("input, button, label, a")) input.click();
  });
  // Coming back with the browser's Back button shows the form ready for another photo.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    button.disabled = false;
    chosen.hidden = true;
    form.reset();
  });

  document.addEventListener("paste", (event) => {
    const files = event.clipboardData && event.clipboardData.files;
    if (files && files.length) {
      event.preventDefault();
      take(files);
    }
  });

  let depth = 0;
  const holdsFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (!holdsFiles(event)) return;
    depth += 1;
    zone.classList.add("is-over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!holdsFiles(event)) return;
    depth -= 1;
    if (depth <= 0) zone.classList.remove("is-over");
  });
  document.addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth = 0;
    zone.classList.remove("is-over");
    take(event.dataTransfer.files);
  });
})();
