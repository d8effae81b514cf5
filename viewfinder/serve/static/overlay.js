// Boxes and points on the picture: shown, pointed at, moved, resized, drawn anew. All places are original pixels.
// A mark is {box: [x1, y1, x2, y2]} or {point: [x, y]}, with label, text, confidence, and color (0..7).
import { svg } from "./dom.js";

const CORNERS = [[0, 1], [2, 1], [2, 3], [0, 3]];
const MOST_TAGS = 40;

export class Overlay {
  constructor(events) {
    this.events = events; // {light(index | null), open(index), change(index), add(mark), remove(index)}
    this.node = svg("svg", { class: "overlay", role: "group", "aria-label": "Places in the answer" });
    this.node.addEventListener("pointerdown", (event) => this.#press(event));
    this.marks = [];
    this.lit = null;
    new ResizeObserver(() => this.draw()).observe(this.node);
  }

  show(marks, size, { editing = null, faint = false, grid = null } = {}) {
    Object.assign(this, { marks, size, editing, faint, grid, lit: null });
    this.node.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    this.node.classList.toggle("editing", editing !== null);
    this.draw();
  }

  light(index) {
    this.lit = index;
    this.node.classList.toggle("busy", index !== null && !this.faint);
    for (const node of this.node.querySelectorAll(".mark")) node.classList.toggle("lit", Number(node.dataset.index) === index);
  }

  focus(index) {
    this.node.querySelector(`[data-index="${index}"]`)?.focus({ preventScroll: true });
  }

  draw() {
    const width = this.node.getBoundingClientRect().width;
    if (!width || !this.size) return;
    const focused = this.node.contains(document.activeElement) ? document.activeElement.dataset.index : null;
    this.unit = this.size[0] / width; // original pixels of one pixel of the screen
    this.node.replaceChildren(...this.#gridLines(), ...this.marks.map((mark, i) => this.#mark(mark, i)));
    this.light(this.lit);
    if (focused !== null && focused !== undefined) this.focus(focused);
  }

  #gridLines() {
    if (!this.grid) return [];
    const [columns, rows] = this.grid;
    const [width, height] = this.size;
    const lines = [];
    for (let i = 1; i < columns; i++) lines.push(`M${(i * width) / columns} 0V${height}`);
    for (let i = 1; i < rows; i++) lines.push(`M0 ${(i * height) / rows}H${width}`);
    return [svg("path", { class: "grid-line", d: lines.join("") })];
  }

  #mark(mark, index) {
    const where = (mark.box ?? mark.point).map(Math.round).join(", ");
    const name = [mark.label, mark.text].filter(Boolean).join(": ") || (mark.box ? "box" : "point");
    const sure = mark.confidence === undefined || this.editing !== null ? "" : ` ${Math.round(100 * mark.confidence)} %`;
    const group = svg("g", {
      class: `mark c${mark.color ?? 0}${this.faint ? " faint" : ""}${mark.point ? " at" : ""}`, "data-index": index, tabindex: 0, role: "button",
      "aria-label": `${name}, ${mark.box ? "box" : "point"} at ${where}`,
      onpointerenter: () => this.events.light(index),
      onpointerleave: () => this.events.light(null),
      onfocus: () => this.events.light(index),
      onblur: () => this.events.light(null),
      onclick: () => this.events.open?.(index),
      onkeydown: (event) => this.#key(event, index),
    });
    if (mark.point) group.append(svg("circle", { class: "dot", cx: mark.point[0], cy: mark.point[1], r: 7 * this.unit }));
    else group.append(...this.#rectangle(mark.box, "casing"), ...this.#rectangle(mark.box, "edge"));
    if (!this.faint && this.marks.length <= MOST_TAGS) group.append(...this.#tag(mark, name, sure));
    if (this.editing !== null && mark.box) {
      for (const [corner, [x, y]] of CORNERS.entries()) {
        group.append(svg("rect", { class: "handle", "data-corner": corner, ...this.#square(mark.box[x], mark.box[y], 6) }));
      }
    }
    return group;
  }

  #square(x, y, half) {
    const size = half * this.unit;
    return { x: x - size, y: y - size, width: 2 * size, height: 2 * size, rx: 2 * this.unit };
  }

  #rectangle([x1, y1, x2, y2], kind) {
    return [svg("rect", { class: kind, x: x1, y: y1, width: Math.max(0, x2 - x1), height: Math.max(0, y2 - y1), rx: 2 * this.unit })];
  }

  #tag(mark, name, sure) {
    const [x, y] = mark.box ?? [mark.point[0] + 9 * this.unit, mark.point[1]];
    const text = (name.length > 28 ? `${name.slice(0, 27)}…` : name) + sure;
    const [width, height] = [(text.length * 6.4 + 12) * this.unit, 18 * this.unit];
    const top = mark.box ? (y > height ? y - height : Math.min(mark.box[3], this.size[1] - height)) : y - height / 2;
    const left = Math.max(0, Math.min(x, this.size[0] - width));
    return [
      svg("rect", { class: "tag", x: left, y: top, width, height, rx: 3 * this.unit }),
      svg("text", { class: "word", x: left + 6 * this.unit, y: top + 13 * this.unit, "font-size": 11.5 * this.unit, textLength: (text.length * 6.4) * this.unit, lengthAdjust: "spacingAndGlyphs" }, text),
    ];
  }

  #place(event) {
    const at = this.node.getBoundingClientRect();
    return [((event.clientX - at.left) / at.width) * this.size[0], ((event.clientY - at.top) / at.height) * this.size[1]];
  }

  #press(event) {
    if (this.editing === null || event.button) return;
    event.preventDefault();
    const group = event.target.closest(".mark");
    const from = this.#place(event);
    let index = group ? Number(group.dataset.index) : null;
    let corner = event.target.dataset.corner ?? null;
    if (index === null) {
      if (this.editing === "point") return this.events.add({ point: this.#inside(from) });
      index = this.events.add({ box: [...from, ...from] }, true);
      corner = 2;
    }
    const before = structuredClone(this.marks[index]);
    const move = (next) => {
      this.#move(index, before, corner, this.#place(next), from);
      this.draw();
      this.events.change(index);
    };
    const up = () => {
      window.removeEventListener("pointermove", move);
      const { box } = this.marks[index] ?? {};
      if (box && (box[2] - box[0] < 3 * this.unit || box[3] - box[1] < 3 * this.unit) && !group) this.events.remove(index);
      else this.focus(index);
    };
    this.focus(index);
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up, { once: true });
  }

  // Drag one corner, or the whole; a corner dragged over its opposite swaps sides.
  #move(index, before, corner, [x, y], [fromX, fromY]) {
    const mark = this.marks[index];
    const [dx, dy] = [x - fromX, y - fromY];
    if (mark.point) mark.point = this.#inside([before.point[0] + dx, before.point[1] + dy]);
    else if (corner === null) mark.box = this.#shifted(before.box, dx, dy);
    else {
      const box = [...before.box];
      const [ix, iy] = CORNERS[Number(corner)];
      [box[ix], box[iy]] = this.#inside([box[ix] + dx, box[iy] + dy]);
      mark.box = [Math.min(box[0], box[2]), Math.min(box[1], box[3]), Math.max(box[0], box[2]), Math.max(box[1], box[3])];
    }
  }

  #inside([x, y]) {
    return [Math.min(Math.max(x, 0), this.size[0]), Math.min(Math.max(y, 0), this.size[1])];
  }

  #shifted([x1, y1, x2, y2], dx, dy) {
    const [w, h] = this.size;
    const right = Math.min(Math.max(dx, -x1), w - x2);
    const down = Math.min(Math.max(dy, -y1), h - y2);
    return [x1 + right, y1 + down, x2 + right, y2 + down];
  }

  // Arrows move by one pixel of the original, with Alt by ten; with Shift they move the lower right corner.
  #key(event, index) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      return this.events.open?.(index);
    }
    if (this.editing === null) return undefined;
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      return this.events.remove(index);
    }
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return undefined;
    event.preventDefault();
    const by = event.altKey ? 10 : 1;
    this.#move(index, structuredClone(this.marks[index]), event.shiftKey ? 2 : null, step.map((s) => s * by), [0, 0]);
    this.draw();
    return this.events.change(index);
  }
}
