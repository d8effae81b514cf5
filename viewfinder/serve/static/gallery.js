// Things to try for people without a file at hand: each brings its file, a job and the words for it.
import { el, find } from "./dom.js";
import { addFiles } from "./tray.js";

const EXAMPLES = [
  ["receipt.png", "image/png", "Try a receipt", "locate", "the total"],
  ["three.png", "image/png", "Count discs", "count", "green disc"],
  ["leaflet.pdf", "application/pdf", "Parse a PDF", "parse", ""],
  ["clip.mp4", "video/mp4", "Find a moment", "moments", "a red disc is shown"],
];

export function buildGallery(choose) {
  find("gallery").replaceChildren(...EXAMPLES.map(([name, type, label, task, words]) =>
    el("li", {}, el("button", { type: "button", class: "quiet", onclick: async () => {
      const data = await (await fetch(name)).blob();
      await addFiles([new File([data], name, { type })]);
      choose(task, words);
    } }, label))));
}
