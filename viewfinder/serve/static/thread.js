// The conversation: one bubble for what was asked, one card for what was answered, with its figures.
import { clock, el, number } from "./dom.js";
import { files, menu } from "./downloads.js";
import { page } from "./page.js";
import { TASKS } from "./tasks.js";

// The bubble of what was asked, which can be asked again in other words.
export function asked(turn, edit) {
  const [first] = turn.results;
  const items = new Set(turn.task === "ask" ? first.items : turn.results.map((result) => result.item).filter(Boolean));
  const shown = [...items].map((item) => item.name).join(", ");
  const words = turn.task === "ask" ? turn.question : [el("b", {}, TASKS[turn.task].label), " ", turn.question];
  const bubble = el("div", { class: "asked" }, words, shown ? el("span", { class: "shown" }, shown) : "");
  if (!TASKS[turn.task].wordless) bubble.prepend(el("button", { type: "button", class: "icon edit", "aria-label": "Edit and ask again", title: "Edit and ask again", onclick: () => editing(bubble, turn, edit) }, "✎"));
  return bubble;
}

function editing(bubble, turn, edit) {
  const before = [...bubble.childNodes];
  const field = el("textarea", { rows: 2, "aria-label": "The question in other words" }, turn.question);
  const send = () => edit(field.value.trim());
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); send(); }
    if (event.key === "Escape") bubble.replaceChildren(...before);
  });
  bubble.replaceChildren(field, el("div", { class: "row end" },
    el("button", { type: "button", class: "quiet", onclick: () => bubble.replaceChildren(...before) }, "Cancel"),
    el("button", { type: "button", class: "primary", onclick: send }, "Ask again")));
  field.focus();
}

export class Card {
  constructor(result, events) {
    this.result = result;
    this.events = events; // {activate, light(index), correct, right, again, seek(seconds), prices()}
    this.node = el("article", { class: "card", "aria-label": `Answer: ${TASKS[result.task].label}`, onclick: () => events.activate() });
    this.words = el("div", { class: "said caret" });
    this.draw();
  }

  start() {
    Object.assign(this.result, { status: "running", failure: "" });
    this.since = performance.now();
    this.wait = el("p", { class: "working" }, "looking…");
    this.node.setAttribute("aria-busy", "true");
    this.node.replaceChildren(this.wait);
    this.timer = setInterval(() => { this.wait.textContent = `looking… ${((performance.now() - this.since) / 1000).toFixed(0)} s`; }, 1000);
  }

  told(text) {
    if (!this.words.isConnected) this.node.replaceChildren(this.words);
    this.words.textContent = text;
  }

  end(status, failure = "") {
    clearInterval(this.timer);
    this.node.removeAttribute("aria-busy");
    Object.assign(this.result, { status, failure, seconds: (performance.now() - this.since) / 1000 });
    this.draw();
  }

  draw() {
    const { result } = this;
    if (result.status === "running") return;
    if (result.status === "done") {
      this.room = el("div");
      this.node.replaceChildren(...this.#answer(), this.#bar(), this.room, this.#figures());
      return;
    }
    const said = result.said ? el("div", { class: "said" }, result.said) : "";
    const why = result.failure ? el("p", { class: "failure" }, result.failure) : el("p", { class: "said none" }, result.status === "stopped" ? "Stopped." : "Waiting.");
    const again = result.status === "waiting" ? "" : el("div", { class: "bar" }, this.#again());
    this.node.replaceChildren(...[said, why, again].filter(Boolean));
  }

  light(index) {
    for (const node of this.node.querySelectorAll("[data-index]")) node.classList.toggle("lit", Number(node.dataset.index) === index);
    const element = index === null ? undefined : this.result.marks[index]?.element;
    for (const node of this.node.querySelectorAll("[data-element]")) {
      const on = element !== undefined && Number(node.dataset.element) === element;
      node.classList.toggle("lit", on);
    }
  }

  scrollTo(index) {
    const element = this.result.marks[index]?.element;
    const node = this.node.querySelector(element === undefined ? `[data-index="${index}"]` : `[data-element="${element}"]`);
    node?.scrollIntoView({ block: "nearest" });
    node?.focus({ preventScroll: true });
  }

  #answer() {
    const { result } = this;
    const parts = [];
    if (result.failed) parts.push(el("p", { class: "failure" }, result.failed));
    if (result.count !== undefined) parts.push(el("p", { class: "said count" }, `${number(result.count)} found`));
    if (result.document) parts.push(page(result.document, this.#linked()));
    else if (result.values) parts.push(this.#values());
    else if (result.spans.length) parts.push(this.#spans());
    if (result.said) parts.push(el("div", { class: "said" }, prose(result)));
    if (result.marks.length && !result.document && !result.values) parts.push(this.#marks());
    if (!parts.length) parts.push(el("p", { class: "said none" }, result.task === "read" ? "No text." : "Nothing found."));
    return parts;
  }

  #linked() {
    const index = new Map(this.result.marks.map((mark, i) => [mark.element, i]));
    return { light: (element) => this.events.light(element === null ? null : index.get(element) ?? null) };
  }

  #hover(index) {
    const { light } = this.events;
    return { "data-index": index, onpointerenter: () => light(index), onpointerleave: () => light(null), onfocus: () => light(index), onblur: () => light(null) };
  }

  #marks() {
    return el("ul", { class: "marks", "aria-label": "Places" }, this.result.marks.map((mark, i) => {
      const where = (mark.box ?? mark.point).map(Math.round).join(", ");
      const sure = mark.confidence === undefined ? "" : ` · ${Math.round(100 * mark.confidence)} %`;
      const name = [mark.label, mark.text].filter(Boolean).join(": ") || (mark.box ? "box" : "point");
      return el("li", {}, el("button", { type: "button", class: `chip c${mark.color}`, ...this.#hover(i) }, name, el("span", { class: "where" }, where + sure)));
    }));
  }

  #spans() {
    return el("ul", { class: "marks", "aria-label": "Moments" }, this.result.spans.map((span, i) =>
      el("li", {}, el("button", { type: "button", class: `chip c${span.color}`, onclick: () => this.events.seek(span.start), ...this.#hover(i) },
        span.label || "moment", el("span", { class: "where" }, `${clock(span.start)} – ${clock(span.end)}`)))));
  }

  #values() {
    let placed = -1;
    return el("table", { class: "values" }, this.result.values.map((field) => {
      const index = field.box ? (placed += 1) : null;
      const attributes = index === null ? {} : { class: `placed c${this.result.marks[index].color}`, tabindex: 0, ...this.#hover(index) };
      return el("tr", attributes, el("th", { scope: "row" }, field.path), el("td", {}, field.value === null ? "not there" : String(field.value)));
    }));
  }

  #bar() {
    const { checked } = this.result;
    const raw = this.result.raw && this.result.raw !== this.result.said ? el("details", {}, el("summary", {}, "The model’s words"), el("pre", {}, this.result.raw)) : "";
    const press = (label, act, more = {}) => el("button", { type: "button", class: "quiet", ...more, onclick: (event) => { event.stopPropagation(); act(); } }, label);
    const right = checked?.right ? press("✓ Right", () => {}, { "aria-pressed": "true" }) : press("Right", this.events.right, { title: "The answer is right as it is" });
    const correct = press(checked && !checked.right ? "✓ Corrected" : "Correct", this.events.correct);
    return el("div", { class: "bar" }, right, correct, this.#again(), menu("Download", files([this.result])), raw);
  }

  #again() {
    return el("button", { type: "button", class: "quiet", title: "Ask the same again", onclick: (event) => { event.stopPropagation(); this.events.again(); } }, "Again");
  }

  #figures() {
    const prices = this.events.prices();
    const { usage = {}, media = [], seconds, stamp, finish } = this.result;
    const told = [];
    if (usage.prompt_tokens) told.push(`${number(usage.prompt_tokens)} tokens read${usage.media_tokens ? `, ${number(usage.media_tokens)} of them picture` : ""}`);
    told.push(`${number(usage.completion_tokens ?? 0)} answered in ${seconds.toFixed(1)} s`);
    if (prices) told.push(`$${((prices[0] * usage.prompt_tokens + prices[1] * usage.completion_tokens) / 1e6).toPrecision(2)}`);
    if (finish === "length") told.push("cut at the longest answer");
    if (finish === "loop") told.push("stopped, as it went in circles");
    const rows = media.flatMap((info, i) => [
      el("dt", {}, media.length > 1 ? `${info.kind} ${i + 1}` : info.kind),
      el("dd", {}, `${info.original_size.join(" × ")} seen as ${info.resized_size.join(" × ")}, ${number(info.tokens)} tokens` + (info.frame_times ? `, ${info.frame_times.length} frames` : "") + (info.notes?.length ? ` (${info.notes.join("; ")})` : "")),
    ]);
    return el("details", {}, el("summary", { class: "figures" }, told.join(" · ")),
      el("dl", { class: "facts" }, rows, el("dt", {}, "stamp"), el("dd", {}, stamp ?? "")));
  }
}

// The answer without the list of places, which stands below it as chips.
function prose({ said, marks, spans }) {
  const text = marks.length || spans.length ? said.replace(/```json\s*[\s\S]*?```/g, "").trim() : said;
  return text || (marks.length ? "" : said);
}
