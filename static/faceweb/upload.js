// Adding photos: one file to a request, two requests at a time, each file with its own line.
"use strict";

(() => {
  const form = document.querySelector("[data-upload]");
  if (!form) return;
  const find = (name) => document.querySelector(`[data-${name}]`);
  const input = form.querySelector("input[type=file]");
  const zone = find("drop");
  const folderButton = find("folder");
  const chosenText = find("chosen");
  const sendButton = find("send");
  const sending = find("sending");
  const title = find("sending-title");
  const total = find("total");
  const lines = find("lines");
  const retryAll = find("retry-all");
  const more = find("more");
  const rows = find("rows");
  const recent = find("recent");
  const maxMb = Number(form.dataset.maxMb);
  const AT_ONCE = 2;
  const PICTURE = /\.(jpe?g|png|hei[cf]|webp|tiff?|gif|bmp|avif|ppm|pgm|pnm|jfif|jpe)$/i;

  let chosen = [];
  let waiting = [];
  let running = 0;
  let sent = 0;
  let all = 0;
  let failed = 0;
  let batch = "";
  let rowsUrl = "";
  let namesFromFiles = false;
  let regions = false;

  const plural = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
  const size = (bytes) => {
    const mb = bytes / 1024 / 1024;
    return mb >= 1 ? `${mb.toFixed(mb < 10 ? 1 : 0)} MB` : `${Math.max(1, Math.round(bytes / 1024))} KB`;
  };

  // Choosing

  const choose = (files) => {
    const known = new Set(chosen.map((f) => `${f.name}/${f.size}/${f.lastModified}`));
    for (const file of files) {
      const key = `${file.name}/${file.size}/${file.lastModified}`;
      if (!known.has(key)) chosen.push(file);
      known.add(key);
    }
    showChosen();
  };

  const showChosen = () => {
    const transfer = new DataTransfer();
    for (const file of chosen) transfer.items.add(file);
    input.files = transfer.files;
    form.classList.toggle("has-files", chosen.length > 0);
    sendButton.disabled = !chosen.length;
    const bytes = chosen.reduce((sum, file) => sum + file.size, 0);
    chosenText.textContent = chosen.length ? `${plural(chosen.length, "file", "files")} chosen, ${size(bytes)}` : "";
    sendButton.textContent = chosen.length ? `Add ${plural(chosen.length, "photo", "photos")}` : "Add photos";
  };

  input.addEventListener("change", () => {
    chosen = [];
    choose(input.files);
  });

  zone.addEventListener("click", (event) => {
    if (!event.target.closest("input, button, label, a")) input.click();
  });

  const folderInput = document.createElement("input");
  folderInput.type = "file";
  folderInput.multiple = true;
  folderInput.hidden = true;
  if ("webkitdirectory" in folderInput) {
    folderInput.webkitdirectory = true;
    folderButton.hidden = false;
    folderButton.addEventListener("click", () => folderInput.click());
    folderInput.addEventListener("change", () => {
      takeFromFolder([...folderInput.files]);
      folderInput.value = "";
    });
  }

  // A folder also holds what is not a picture; that is left out without a word for each file.
  const takeFromFolder = (files) => {
    const pictures = files.filter((file) => PICTURE.test(file.name) && !file.name.startsWith("."));
    choose(pictures);
    if (!pictures.length) chosenText.textContent = "There are no pictures in this folder.";
  };

  const readAll = (reader) => new Promise((resolve) => {
    const found = [];
    const more = () => reader.readEntries((part) => {
      if (!part.length) resolve(found);
      else { found.push(...part); more(); }
    }, () => resolve(found));
    more();
  });

  const filesOf = async (entry) => {
    if (entry.isFile) {
      const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
      return file ? [file] : [];
    }
    const parts = await Promise.all((await readAll(entry.createReader())).map(filesOf));
    return parts.flat();
  };

  const takeDropped = async (transfer) => {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
    if (!entries.some((entry) => entry.isDirectory)) {
      choose(transfer.files);
      return;
    }
    takeFromFolder((await Promise.all(entries.map(filesOf))).flat());
  };

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
    takeDropped(event.dataTransfer);
  });

  window.addEventListener("pageshow", () => {
    chosen = [...input.files];
    showChosen();
  });

  // Sending

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!chosen.length) {
      chosenText.textContent = "Choose photos first.";
      return;
    }
    namesFromFiles = form.elements.names_from_files.checked;
    regions = form.elements.regions.checked;
    const files = chosen;
    chosen = [];
    form.hidden = true;
    if (recent) recent.hidden = true;
    sending.hidden = false;
    all = files.length;
    for (const file of files) {
      const job = { file, line: null };
      if (maxMb && file.size > maxMb * 1024 * 1024) {
        failed += 1;
        say(job, `This file is ${size(file.size)}; at most ${maxMb} MB are accepted. Save a smaller copy and add that.`, false);
      } else {
        waiting.push(job);
      }
    }
    pump();
  });

  // A line is there while its file is sent, and stays when something went wrong.
  const lineOf = (job) => {
    if (job.line) return job.line;
    const line = document.createElement("li");
    line.className = "line";
    const name = document.createElement("span");
    name.className = "line-name";
    name.textContent = job.file.name;
    const words = document.createElement("span");
    words.className = "line-say";
    line.append(name, words);
    lines.append(line);
    job.line = line;
    return line;
  };

  const say = (job, sentence, again) => {
    const line = lineOf(job);
    line.classList.add("line-problem");
    line.querySelector("progress")?.remove();
    line.querySelector(".line-say").textContent = sentence;
    line.querySelector("button")?.remove();
    job.again = again;
    if (again) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button button-small";
      button.textContent = "Try again";
      button.addEventListener("click", () => retry([job]));
      line.append(button);
      problems.add(job);
    }
    showProgress();
  };

  const problems = new Set();
  const retry = (jobs) => {
    for (const job of jobs) {
      problems.delete(job);
      failed -= 1;
      job.line.remove();
      job.line = null;
      waiting.push(job);
    }
    title.focus();
    pump();
  };
  retryAll.addEventListener("click", () => retry([...problems]));

  const showProgress = () => {
    const busy = running > 0 || waiting.length > 0;
    total.max = Math.max(all, 1);
    total.value = sent;
    total.hidden = !busy;
    retryAll.hidden = busy || problems.size < 2;
    more.hidden = busy;
    if (busy) title.textContent = `Sending: ${sent} of ${all}`;
    else if (!failed) title.textContent = sent === 1 ? "The file is sent" : `All ${sent} files are sent`;
    else title.textContent = `${plural(sent, "file is", "files are")} sent, ${plural(failed, "is", "are")} not`;
  };

  const pump = () => {
    // The first file goes alone: its answer says which import the others belong to.
    const limit = batch ? AT_ONCE : 1;
    while (running < limit && waiting.length) send(waiting.shift());
    showProgress();
  };

  const why = (request) => {
    if (request.status === 413) return "This file is larger than the server accepts. Save a smaller copy and add that.";
    if (request.status === 403) return "The server did not accept this. You may have been signed out: sign in again in another tab, then try again.";
    if (request.status === 400) return "The server could not understand what was sent. Try again.";
    if (request.status >= 500) return "The server had a problem with this file. Try again in a moment.";
    if (request.status === 0) return "The connection was lost. Check it, then try again.";
    return "You may have been signed out. Sign in again in another tab, then try again.";
  };

  const answerOf = (request) => {
    try {
      const answer = JSON.parse(request.responseText);
      return request.status === 200 && answer.batch ? answer : null;
    } catch {
      return null;
    }
  };

  const send = (job) => {
    running += 1;
    const line = lineOf(job);
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", `${job.file.name}, sent so far`);
    line.append(bar);
    line.querySelector(".line-say").textContent = "Sending";
    const data = new FormData();
    data.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    if (batch) data.append("batch", batch);
    if (namesFromFiles) data.append("names_from_files", "on");
    if (regions) data.append("regions", "on");
    data.append("files", job.file);
    const request = new XMLHttpRequest();
    request.open("POST", form.getAttribute("action"));
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      bar.value = event.loaded / event.total;
      if (event.loaded === event.total) line.querySelector(".line-say").textContent = "Being stored";
    });
    request.addEventListener("loadend", () => {
      running -= 1;
      const answer = answerOf(request);
      if (answer) {
        sent += 1;
        line.remove();
        job.line = null;
        arrived(answer);
      } else {
        failed += 1;
        say(job, why(request), true);
      }
      pump();
    });
    request.send(data);
  };

  // What the server says about the import, fetched again at most once a second.

  const arrived = (answer) => {
    if (!batch) {
      batch = String(answer.batch);
      rowsUrl = answer.rows;
      history.replaceState(null, "", answer.url);
    }
    refreshSoon();
  };

  let timer = 0;
  const refreshSoon = () => {
    if (timer || !window.htmx) return;
    timer = setTimeout(() => {
      timer = 0;
      if (!rows.firstElementChild) {
        const slot = document.createElement("div");
        slot.id = "import-rows";
        rows.append(slot);
      }
      htmx.ajax("GET", rowsUrl, { target: "#import-rows", swap: "outerHTML" });
    }, rows.firstElementChild ? 1000 : 50);
  };

  window.addEventListener("beforeunload", (event) => {
    if (running || waiting.length) event.preventDefault();
  });
})();
