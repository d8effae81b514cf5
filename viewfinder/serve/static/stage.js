// What is shown: one item at a time, fitted or zoomed, with the overlay upon it and the timeline below.
import { el, find, number } from "./dom.js";
import { turnTo } from "./media.js";
import { Overlay } from "./overlay.js";
import { Stills } from "./stills.js";
import { Timeline } from "./timeline.js";

export class Stage {
  constructor(events) {
    this.events = events; // of the overlay, and turned(item)
    this.overlay = new Overlay(events);
    this.timeline = new Timeline(find("timeline"), events);
    this.item = null;
    this.zoom = 1;
    this.seen = null; // [width, height] the model gets, when its view is on
    for (const [id, by] of [["zoom-out", 1 / 1.5], ["zoom-in", 1.5], ["zoom-fit", 0]]) {
      find(id).addEventListener("click", () => this.#zoomTo(by ? this.zoom * by : 1));
    }
    find("previous").addEventListener("click", () => this.turn(this.item.page - 1));
    find("next").addEventListener("click", () => this.turn(this.item.page + 1));
    find("view").addEventListener("keydown", (event) => {
      if (event.key === "PageDown" || event.key === "PageUp") this.turn(this.item.page + (event.key === "PageDown" ? 1 : -1));
    });
    new ResizeObserver(() => this.#fit()).observe(find("view"));
  }

  show(item) {
    this.item = item;
    find("empty").hidden = item !== null;
    find("view").hidden = find("stagebar").hidden = item === null;
    this.timeline.attach(null, 0);
    if (item === null) return find("frame").replaceChildren();
    this.zoom = 1;
    this.player = item.kind !== "video" ? null : item.playable ? this.#video(item) : new Stills(item);
    this.medium = this.player?.node ?? this.player ?? el("img", { src: item.url, alt: `${item.name}${item.kind === "document" ? `, page ${item.page}` : ""}`, draggable: "false" });
    find("frame").replaceChildren(this.medium, ...(item.kind === "video" ? [] : [this.overlay.node]));
    find("pager").hidden = !(item.count > 1);
    find("page-number").textContent = `${item.page} / ${item.count}`;
    find("previous").disabled = item.page === 1;
    find("next").disabled = item.page >= item.count;
    find("model-view").hidden = item.kind === "video";
    if (this.player) this.timeline.attach(this.player, item.duration);
    this.marks([], {});
    this.#fit();
    return undefined;
  }

  async turn(page) {
    if (this.item?.kind !== "document" || page < 1 || page > this.item.count) return;
    await turnTo(this.item, page);
    this.events.turned(this.item);
  }

  marks(marks, { editing = null, faint = false } = {}) {
    this.shown = { marks, editing, faint };
    if (this.item === null || this.item.kind === "video") return;
    const grid = this.seen ? this.seen.map((side) => side / 28) : null;
    this.overlay.show(marks, this.item.size, { editing, faint, grid });
  }

  // The picture as the model gets it, with its tokens; null for the original.
  modelView(size) {
    this.seen = size;
    find("model-view").setAttribute("aria-pressed", String(size !== null));
    find("frame").querySelector("canvas")?.remove();
    if (size && this.item && this.item.kind !== "video") {
      const canvas = el("canvas", { class: "seen", width: size[0], height: size[1], "aria-hidden": "true" });
      const pen = canvas.getContext("2d");
      pen.imageSmoothingQuality = "high";
      pen.drawImage(this.medium, 0, 0, ...size);
      this.medium.after(canvas);
    }
    if (this.shown) this.marks(this.shown.marks, this.shown);
  }

  about(text) {
    find("about").textContent = text || (this.item ? this.item.size.map(number).join(" × ") : "");
  }

  #video(item) {
    const video = el("video", { src: item.url, controls: true, playsinline: true, "aria-label": item.name });
    video.addEventListener("loadedmetadata", () => this.#fit());
    return video;
  }

  #zoomTo(zoom) {
    this.zoom = Math.min(12, Math.max(0.25, zoom));
    this.#fit();
  }

  #fit() {
    if (!this.item) return;
    const room = find("view").getBoundingClientRect();
    const [width, height] = this.item.size;
    const fit = Math.min((room.width - 30) / width, (room.height - 30) / height, 6);
    const scale = Math.max(0.02, fit * this.zoom);
    const frame = find("frame");
    frame.style.width = `${width * scale}px`;
    frame.style.height = `${height * scale}px`;
    find("zoom-fit").textContent = this.zoom === 1 ? "Fit" : `${Math.round(this.zoom * 100)} %`;
  }
}
