// Pictures side by side, each with its newest answer drawn on it.
import { el, find } from "./dom.js";
import { Overlay } from "./overlay.js";
import { latest, state } from "./state.js";

const MOST = 6;

export class Compare {
  constructor(open) {
    this.open = open; // (item) => shows it alone
    find("compare-view").addEventListener("click", () => (this.on ? this.end() : this.begin()));
  }

  get on() {
    return !find("compare").hidden;
  }

  get pictures() {
    return state.items.filter((item) => item.kind !== "video").slice(-MOST);
  }

  // The button is offered where there is something to compare.
  offer() {
    find("compare-view").hidden = this.pictures.length < 2;
  }

  begin() {
    find("compare").replaceChildren(...this.pictures.map((item) => this.#figure(item)));
    this.#set(true);
  }

  end() {
    this.#set(false);
    this.offer();
  }

  #set(on) {
    find("compare").hidden = !on;
    find("view").hidden = on || !state.items.length;
    find("compare-view").setAttribute("aria-pressed", String(on));
  }

  #figure(item) {
    const result = latest(item, item.page);
    const overlay = new Overlay({ light: (index) => overlay.light(index), open: () => this.open(item) });
    const frame = el("div", { class: "frame" }, el("img", { src: item.url, alt: item.name }), overlay.node);
    frame.style.aspectRatio = item.size.join(" / ");
    overlay.show(result?.marks ?? [], item.size, { faint: Boolean(result?.document) });
    const said = result?.count !== undefined ? ` · ${result.count} found` : "";
    return el("figure", {}, frame, el("figcaption", {}, el("button", { type: "button", class: "link", onclick: () => this.open(item) }, item.name + (item.count > 1 ? `, page ${item.page}` : "")), said));
  }
}
