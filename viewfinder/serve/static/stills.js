// A clip that this browser cannot play: frames that the server decoded stand in for it, at their own seconds.
import { el } from "./dom.js";

export class Stills extends EventTarget {
  constructor(item) {
    super();
    this.stills = item.stills;
    this.node = el("img", { src: this.stills[0].picture, alt: `${item.name}, one frame`, draggable: "false" });
    this.time = 0;
  }

  get currentTime() {
    return this.time;
  }

  set currentTime(seconds) {
    this.time = seconds;
    this.node.src = (this.stills.findLast((still) => still.time <= seconds + 0.001) ?? this.stills[0]).picture;
    this.dispatchEvent(new Event("timeupdate"));
  }
}
