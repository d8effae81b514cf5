// The clip's line: spans of the answer, the frames that the model saw, and where the clip stands. All in seconds.
import { clock, el, svg } from "./dom.js";

export class Timeline {
  constructor(node, events) {
    this.node = node;
    this.events = events; // {light(index | null)}
    this.spans = [];
  }

  attach(video, duration) {
    Object.assign(this, { video, duration, spans: [], frames: [] });
    this.node.hidden = !(duration > 0);
    video?.addEventListener("timeupdate", () => this.#tick());
    video?.addEventListener("seeking", () => this.#tick());
    this.draw();
  }

  show(spans, frames) {
    Object.assign(this, { spans, frames: frames ?? [] });
    this.draw();
  }

  seek(seconds) {
    if (this.video) this.video.currentTime = Math.min(seconds, this.duration - 0.001);
    this.#tick(seconds);
  }

  get now() {
    return this.video?.currentTime ?? 0;
  }

  light(index) {
    for (const node of this.node.querySelectorAll(".span")) node.classList.toggle("lit", Number(node.dataset.index) === index);
  }

  draw() {
    if (this.node.hidden) return;
    const share = (seconds) => `${(100 * seconds) / this.duration}%`;
    this.needle = el("div", { class: "now" });
    this.told = el("span", {}, clock(this.now));
    const ticks = svg("svg", { class: "frames", viewBox: "0 0 1000 1", preserveAspectRatio: "none", "aria-hidden": "true" },
      this.frames.map((t) => svg("line", { x1: (1000 * t) / this.duration, x2: (1000 * t) / this.duration, y1: 0, y2: 1 })));
    const spans = this.spans.map((span, i) => {
      const name = span.label || "moment";
      const node = el("button", {
        type: "button", class: `span c${span.color ?? 0}`, "data-index": i,
        "aria-label": `${name}, from ${clock(span.start)} to ${clock(span.end)}; go there`, title: `${name} · ${clock(span.start)} – ${clock(span.end)}`,
        onclick: (event) => { event.stopPropagation(); this.seek(span.start); },
        onpointerenter: () => this.events.light(i), onpointerleave: () => this.events.light(null),
        onfocus: () => this.events.light(i), onblur: () => this.events.light(null),
      }, name);
      node.style.left = share(span.start);
      node.style.width = share(Math.max(0, span.end - span.start));
      return node;
    });
    const track = el("div", { class: "track", onclick: (event) => {
      const at = track.getBoundingClientRect();
      this.seek(((event.clientX - at.left) / at.width) * this.duration);
    } }, ticks, spans, this.needle);
    const seen = this.frames.length ? `${this.frames.length} frames seen` : "";
    this.node.replaceChildren(track, el("div", { class: "clock" }, this.told, el("span", {}, seen), el("span", {}, clock(this.duration))));
    this.#tick();
  }

  #tick(seconds = this.now) {
    if (!this.needle) return;
    this.needle.style.left = `${(100 * Math.min(seconds, this.duration)) / this.duration}%`;
    this.told.textContent = clock(seconds);
  }
}
