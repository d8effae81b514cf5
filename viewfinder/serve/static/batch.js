// One job on many pages or pictures: how far it is, a button for each with its state, and the answer of the one chosen.
import { el, number, plural } from "./dom.js";
import { files, menu } from "./downloads.js";

const SIGNS = { waiting: "", running: "…", done: "✓", failed: "!", stopped: "–" };

export class Batch {
  constructor(turn, cards, events) {
    Object.assign(this, { turn, cards, events, shown: cards[0] }); // events: {open(card), goOn(), next()}
    this.head = el("div", { class: "bar" });
    this.list = el("ol", { class: "parts" });
    this.room = el("div");
    this.node = el("section", { class: "batch", "aria-label": "Answers one by one" }, this.head, this.list, this.room);
    this.draw();
  }

  // Shows one of the cards below the list.
  show(card) {
    this.shown = card;
    this.draw();
  }

  draw() {
    const { results } = this.turn;
    const count = (...states) => results.filter((result) => states.includes(result.status)).length;
    const [over, failed] = [count("done", "failed"), count("failed")];
    const unit = new Set(results.map((result) => result.item)).size === 1 ? "page" : "file";
    const done = results.filter((result) => result.status === "done");
    const stopped = !count("running") && count("waiting", "stopped") > 0;
    this.head.replaceChildren(
      el("progress", { max: results.length, value: over, "aria-label": "Done" }),
      el("span", { class: "figures", role: "status" }, `${number(over)} of ${plural(results.length, unit)}${failed ? `, ${number(failed)} failed` : ""}`),
      ...(stopped || (failed && !count("running")) ? [el("button", { type: "button", class: "quiet", onclick: () => this.events.goOn() }, stopped ? "Go on" : "Try failed ones again")] : []),
      ...(done.length ? [menu("Download all", files(done))] : []),
    );
    this.list.replaceChildren(...this.cards.map((card) => el("li", {}, this.#button(card, unit))));
    if (this.room.firstChild !== this.shown.node) this.room.replaceChildren(this.shown.node);
  }

  #button(card, unit) {
    const { item, page, status, checked, marks } = card.result;
    const name = unit === "page" ? String(page) : item.name.split("/").pop() + (item.count > 1 ? ` ${page}` : "");
    const told = status === "done" && marks.length ? `, ${plural(marks.length, "place")}` : "";
    return el("button", {
      type: "button", class: `part ${status}${checked ? " checked" : ""}`, "aria-current": String(card === this.shown), title: name,
      "aria-label": `${unit === "page" ? "Page " : ""}${name}: ${checked ? "checked" : status}${told}`, onclick: () => this.events.open(card),
    }, name, el("span", { class: "sign", "aria-hidden": "true" }, checked ? "✓✓" : SIGNS[status]));
  }
}
