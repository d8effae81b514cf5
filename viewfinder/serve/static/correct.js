// Putting an answer right: boxes and points on the picture, times of spans, words; then kept for training.
import { post } from "./api.js";
import { clock, el } from "./dom.js";
import { shownAs } from "./media.js";
import { TASKS } from "./tasks.js";

const keys = (text) => (matchMedia("(pointer: coarse)").matches ? "" : ` · ${text}`);
const HINTS = {
  box: `Drag a box or its corners, or draw a new one${keys("arrows move, Shift sizes, Delete removes")}`,
  point: `Drag a point, or click for a new one${keys("arrows move, Delete removes")}`,
  span: "Set times by hand or from where the clip stands",
  text: "",
};

export class Correction {
  constructor(result, stage, events) {
    Object.assign(this, { result, stage, events }); // events: {changed(), done(), light(index), kept()}
    this.kind = TASKS[result.task].correct;
    if (result.task === "ask" && result.marks.length) this.kind = result.marks[0].box ? "box" : "point";
    const known = result.checked ?? {};
    this.text = known.text;
    this.marks = structuredClone((known.marks ?? result.marks).filter((mark) => (this.kind === "point" ? mark.point : mark.box)));
    this.spans = structuredClone(known.spans ?? result.spans);
    this.node = el("section", { class: "correct", "aria-label": "Correct this answer" });
    this.draw();
  }

  get hint() {
    return HINTS[this.kind];
  }

  get editing() {
    return this.kind === "box" || this.kind === "point" ? this.kind : null;
  }

  add(mark) {
    const known = this.marks.at(-1);
    this.marks.push({ label: known?.label ?? this.result.question.slice(0, 200), color: known?.color ?? 0, ...mark });
    this.draw();
    this.events.changed();
    return this.marks.length - 1;
  }

  remove(index) {
    this.marks.splice(index, 1);
    this.draw();
    this.events.changed();
  }

  moved(index) {
    const where = this.node.querySelector(`[data-index="${index}"] .where`);
    if (where) where.textContent = placeOf(this.marks[index]);
  }

  draw() {
    const rows = this.kind === "span" ? this.#spanRows() : this.kind === "text" ? [] : this.#markRows();
    this.node.replaceChildren(
      el("strong", {}, "The right answer"),
      this.kind === "text" ? this.#words() : el("ul", {}, rows),
      this.kind === "span" ? el("button", { type: "button", class: "quiet", onclick: () => this.#addSpan() }, "Add a moment") : "",
      this.told ?? "",
      el("div", { class: "row end" },
        el("button", { type: "button", class: "quiet", onclick: () => this.events.done() }, "Close"),
        el("button", { type: "button", class: "primary", onclick: (event) => { event.currentTarget.textContent = "Saving…"; this.save(); } }, "Save for training")),
    );
  }

  // Kept with the answer, and on the server as a sample for training where `onServer`.
  async save({ right = false, onServer = true } = {}) {
    if (this.saving) return; // a second press is no second sample
    this.saving = true;
    const { marks, spans } = this;
    this.text ??= this.result.raw ?? "";
    const held = { box: { marks }, point: { marks }, span: { spans }, text: { text: this.text } }[this.kind];
    this.result.checked = { right, ...structuredClone(held) };
    try {
      const { samples, folder } = onServer ? await post("samples", this.#sample()) : {};
      if (onServer) this.told = el("p", { class: "saved", role: "status" }, `Saved; ${samples} in all. Train with `, el("code", {}, `viewfinder train lora --data ${folder}`));
    } catch (error) {
      this.told = this.failure = el("p", { class: "failure", role: "alert" }, `Kept in this page, not on the server: ${error.message}`);
    }
    this.saving = false;
    this.draw();
    this.events.kept();
  }

  #sample() {
    const { result } = this;
    const task = result.task === "count" ? "point" : result.task;
    const sample = { task, question: result.question, model_answer: (result.raw ?? "").slice(0, 100_000), ...shownAs(result) };
    if (this.kind === "box") sample.boxes = this.marks.map(({ box, label }) => ({ box, label: label ?? "" }));
    if (this.kind === "point") sample.points = this.marks.map(({ point, label }) => ({ point, label: label ?? "" }));
    if (this.kind === "span") sample.spans = this.spans.map(({ start, end }) => ({ start, end }));
    if (this.kind === "text") sample.text = this.text;
    return sample;
  }

  #words() {
    this.text ??= this.result.raw ?? "";
    return el("label", {}, el("span", { class: "unseen" }, "The right words"), el("textarea", { rows: 6, oninput: (event) => { this.text = event.target.value; } }, this.text));
  }

  #markRows() {
    if (!this.marks.length) return [el("li", {}, "No place. Draw one on the picture, or save that there is none.")];
    return this.marks.map((mark, i) => el("li", { class: `c${mark.color ?? 0}`, "data-index": i, onpointerenter: () => this.events.light(i), onpointerleave: () => this.events.light(null) },
      el("input", { type: "text", value: mark.label ?? "", maxlength: 500, "aria-label": `Name of ${this.kind} ${i + 1}`, oninput: (event) => { mark.label = event.target.value; this.events.changed(); } }),
      el("span", { class: "figures where" }, placeOf(mark)),
      el("button", { type: "button", class: "icon", "aria-label": `Remove ${this.kind} ${i + 1}`, onclick: () => this.remove(i) }, "✕")));
  }

  #spanRows() {
    const field = (span, name, i) => [
      el("input", { type: "number", class: "number", min: 0, step: 0.1, value: span[name].toFixed(1), "aria-label": `${name} of moment ${i + 1}, seconds`, oninput: (event) => { span[name] = Number(event.target.value) || 0; this.events.changed(); } }),
      el("button", { type: "button", class: "quiet", "aria-label": `${name} of moment ${i + 1} at ${clock(this.stage.timeline.now)}`, onclick: () => { span[name] = this.stage.timeline.now; this.draw(); this.events.changed(); } }, "now"),
    ];
    return this.spans.map((span, i) => el("li", { class: `c${span.color ?? 0}`, "data-index": i }, field(span, "start", i), "to", field(span, "end", i),
      el("button", { type: "button", class: "icon", "aria-label": `Remove moment ${i + 1}`, onclick: () => { this.spans.splice(i, 1); this.draw(); this.events.changed(); } }, "✕")));
  }

  #addSpan() {
    const start = this.stage.timeline.now;
    this.spans.push({ start, end: Math.min(start + 1, this.stage.timeline.duration), label: this.result.question, color: 0 });
    this.draw();
    this.events.changed();
  }
}

const placeOf = (mark) => (mark.box ?? mark.point).map(Math.round).join(", ");
