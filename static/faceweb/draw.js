// Drawing a box on a photo: by mouse, by touch and by keyboard. The four number fields of the
// form are the truth; the drawing shows and changes them. Without this script they are typed.
//
//   <form data-draw data-width data-height>   sizes in pixels of the photo
//     <figure class="stage"><img>             where the drawing goes
//     <input name=x1 …>                       x1, y1, x2, y2
//     <a data-draw-cancel>  <p data-draw-say> for Escape; what screen readers are told
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const SMALLEST = 10; // pixels of the photo, as the server has it
  const REACH = 22; // how near a finger must be to a corner, in pixels of the screen
  const CORNERS = { nw: ["x1", "y1"], ne: ["x2", "y1"], sw: ["x1", "y2"], se: ["x2", "y2"] };
  const EDGES = { n: "y1", s: "y2", w: "x1", e: "x2" };

  const make = (name, className, parent) => {
    const node = document.createElementNS(SVG, name);
    node.setAttribute("class", className);
    parent.append(node);
    return node;
  };
  const set = (node, values) => {
    for (const [name, value] of Object.entries(values)) node.setAttribute(name, value);
  };

  const start = (form) => {
    const width = Number(form.dataset.width);
    const height = Number(form.dataset.height);
    const limit = { x1: width, x2: width, y1: height, y2: height };
    const fields = Object.fromEntries(Object.keys(limit).map((side) => [side, form.elements[side]]));
    const say = form.querySelector("[data-draw-say]");
    let box = null;
    let drag = null;

    const surface = make("svg", "draw", form.querySelector(".stage"));
    set(surface, {
      viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "application",
      "aria-label": "The photo, to draw a box on", "aria-describedby": "draw-help",
    });
    const inside = make("rect", "draw-inside", surface);
    const outlines = ["draw-halo", "draw-line"].map((name) => make("rect", name, surface));
    for (const node of outlines) node.setAttribute("vector-effect", "non-scaling-stroke");
    const edges = Object.keys(EDGES).map((side) => {
      const node = make("line", `draw-edge draw-edge-${side}`, surface);
      set(node, { "vector-effect": "non-scaling-stroke", "data-grip": side });
      return [side, node];
    });
    const corners = Object.keys(CORNERS).map((corner) => {
      const shown = make("circle", "draw-corner", surface);
      shown.setAttribute("vector-effect", "non-scaling-stroke");
      const grip = make("circle", `draw-grip draw-grip-${corner}`, surface);
      grip.dataset.grip = corner;
      return [corner, shown, grip];
    });
    inside.dataset.grip = "inside";

    const clamp = (value, most) => Math.min(Math.max(value, 0), most);
    const ordered = ({ x1, y1, x2, y2 }) => ({
      x1: Math.min(x1, x2), x2: Math.max(x1, x2), y1: Math.min(y1, y2), y2: Math.max(y1, y2),
    });
    // How many pixels of the photo one pixel of the screen covers.
    const scale = () => width / Math.max(surface.getBoundingClientRect().width, 1);

    const show = () => {
      for (const node of surface.children) node.toggleAttribute("hidden", !box);
      if (!box) return;
      const { x1, y1, x2, y2 } = box;
      const size = { x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
      for (const node of [inside, ...outlines]) set(node, size);
      const across = { n: [x1, y1, x2, y1], s: [x1, y2, x2, y2], w: [x1, y1, x1, y2], e: [x2, y1, x2, y2] };
      for (const [side, node] of edges) {
        const [a, b, c, d] = across[side];
        set(node, { x1: a, y1: b, x2: c, y2: d });
      }
      const per = scale();
      // The grips of a small box must not cover all of it.
      const reach = Math.min(REACH * per, Math.max(x2 - x1, y2 - y1) / 2.5);
      for (const [corner, shown, grip] of corners) {
        const [x, y] = CORNERS[corner];
        set(shown, { cx: box[x], cy: box[y], r: Math.min(6 * per, reach) });
        set(grip, { cx: box[x], cy: box[y], r: reach });
      }
    };

    const write = () => {
      for (const side of Object.keys(limit)) fields[side].value = box ? box[side].toFixed(1) : "";
    };
    const change = (next) => {
      box = next;
      write();
      show();
    };
    const tell = () => {
      if (!say || !box) return;
      const [x, y, w, h] = [box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1].map(Math.round);
      say.textContent = `Box ${w} by ${h} pixels, ${x} from the left, ${y} from the top`;
    };

    const read = () => {
      const values = Object.keys(limit).map((side) => [side, parseFloat(fields[side].value)]);
      box = values.every(([, value]) => Number.isFinite(value)) ? Object.fromEntries(values) : null;
      show();
    };
    for (const field of Object.values(fields)) field.addEventListener("input", read);

    // By mouse and touch

    const place = (event) => {
      const { left, top } = surface.getBoundingClientRect();
      return { x: clamp((event.clientX - left) * scale(), width), y: clamp((event.clientY - top) * scale(), height) };
    };

    surface.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || (event.pointerType === "mouse" && event.button !== 0)) return;
      event.preventDefault();
      surface.focus({ preventScroll: true });
      surface.setPointerCapture(event.pointerId);
      const from = place(event);
      const grip = event.target.dataset.grip || "";
      drag = { grip, from, before: box };
      if (!grip) change({ x1: from.x, y1: from.y, x2: from.x, y2: from.y });
    });

    surface.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const to = place(event);
      const { grip, from, before } = drag;
      if (!grip) {
        change(ordered({ x1: from.x, y1: from.y, x2: to.x, y2: to.y }));
      } else if (grip === "inside") {
        const dx = Math.min(Math.max(to.x - from.x, -before.x1), width - before.x2);
        const dy = Math.min(Math.max(to.y - from.y, -before.y1), height - before.y2);
        change({ x1: before.x1 + dx, x2: before.x2 + dx, y1: before.y1 + dy, y2: before.y2 + dy });
      } else {
        const next = { ...before };
        for (const side of CORNERS[grip] || [EDGES[grip]]) {
          const moved = side[0] === "x" ? to.x - from.x : to.y - from.y;
          next[side] = clamp(before[side] + moved, limit[side]);
        }
        change(ordered(next));
      }
    });

    const drop = (event) => {
      if (!drag) return;
      const { before } = drag;
      drag = null;
      const cancelled = event.type === "pointercancel";
      // A tap, or a twitch, is no box.
      if (cancelled || box.x2 - box.x1 < SMALLEST || box.y2 - box.y1 < SMALLEST) change(before);
      tell();
    };
    surface.addEventListener("pointerup", drop);
    surface.addEventListener("pointercancel", drop);

    // By keyboard

    const first = () => {
      const side = Math.min(width, height) / 5;
      return { x1: (width - side) / 2, x2: (width + side) / 2, y1: (height - side) / 2, y2: (height + side) / 2 };
    };
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

    surface.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.preventDefault();
        form.querySelector("[data-draw-cancel]").click();
      } else if (event.key === "Enter") {
        event.preventDefault();
        form.requestSubmit();
      } else if (steps[event.key]) {
        event.preventDefault();
        if (!box) {
          change(first());
          tell();
          return;
        }
        const size = event.altKey ? 1 : Math.max(width, height) / 100;
        const [dx, dy] = steps[event.key].map((way) => way * size);
        const next = { ...box };
        if (event.shiftKey) {
          next.x2 = Math.max(clamp(box.x2 + dx, width), box.x1 + SMALLEST);
          next.y2 = Math.max(clamp(box.y2 + dy, height), box.y1 + SMALLEST);
        } else {
          const right = Math.min(Math.max(dx, -box.x1), width - box.x2);
          const down = Math.min(Math.max(dy, -box.y1), height - box.y2);
          Object.assign(next, { x1: box.x1 + right, x2: box.x2 + right, y1: box.y1 + down, y2: box.y2 + down });
        }
        change(next);
        tell();
      }
    });

    if ("ResizeObserver" in window) new ResizeObserver(show).observe(surface);
    for (const hint of form.querySelectorAll("[data-with-script]")) hint.hidden = false;
    read();
    surface.focus({ preventScroll: true });
  };

  const begin = () => {
    for (const form of document.querySelectorAll("[data-draw]:not([data-draw-ready])")) {
      form.dataset.drawReady = "";
      start(form);
    }
  };
  begin();
  document.addEventListener("htmx:load", begin);
})();
