// The row of all media: files, folders and pasted pictures come in here. `addFiles` is where any other source of media
// (a camera, a screen) hands in what it took, as `File`s.
import { el, find, plural } from "./dom.js";
import { readFile } from "./media.js";
import { announce, complain, state } from "./state.js";
import { forget, keepItem } from "./store.js";

let events = { show() {}, changed() {} };

export function listenForFiles(given) {
  events = given; // {show(item | null), changed()}
  for (const id of ["choose", "attach"]) find(id).addEventListener("click", () => find("file").click());
  find("choose-folder").addEventListener("click", () => find("folder").click());
  for (const id of ["file", "folder"]) {
    find(id).addEventListener("change", (event) => { addFiles([...event.target.files]); event.target.value = ""; });
  }
  document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) addFiles([...event.clipboardData.files]); });
  let inside = 0;
  document.addEventListener("dragenter", () => { inside += 1; find("drop").hidden = false; });
  document.addEventListener("dragleave", () => { inside -= 1; find("drop").hidden = inside <= 0; });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    inside = 0;
    find("drop").hidden = true;
    addFiles(await dropped(event.dataTransfer));
  });
}

// The kinds of file that the server takes, by their endings.
export function taken() {
  const { image, document: papers, video } = state.card?.viewfinder.takes ?? { image: [], document: [], video: [] };
  return { image, document: papers, video, all: [...image, ...papers, ...video] };
}

export async function addFiles(files) {
  const known = taken().all;
  const fit = (file) => !known.length || !/\.\w+$/.test(file.name) || known.some((ending) => file.name.toLowerCase().endsWith(ending));
  const good = files.filter((file) => fit(file) && !file.name.startsWith("."));
  const left = files.filter((file) => !good.includes(file)).map((file) => file.name);
  let read = 0;
  for (const file of good) {
    announce(`reading ${file.name}`);
    try {
      const item = await readFile(file);
      state.items.push(item);
      keepItem(item);
      events.show(item);
      announce(good.length > 1 ? `${read += 1} of ${plural(good.length, "file")} read` : `${file.name} is shown`);
    } catch (error) {
      complain(`${file.name}: ${error.message}`);
    }
  }
  if (left.length) complain(`${left.slice(0, 3).join(", ")}${left.length > 3 ? ` and ${left.length - 3} more` : ""}: not taken. Taken are ${words()}.`);
}

// "pictures (JPG, PNG, WEBP and 16 more), PDF and clips (MP4, MOV, WEBM and 6 more)"
export function words() {
  const named = (list, first) => {
    const known = list.map((ending) => ending.slice(1).toUpperCase());
    const common = first.filter((name) => known.includes(name));
    return `${common.join(", ")} and ${known.length - common.length} more`;
  };
  const { image, video } = taken();
  return image.length ? `pictures (${named(image, ["JPG", "PNG", "WEBP", "TIFF"])}), PDF and clips (${named(video, ["MP4", "MOV", "WEBM", "MKV"])})` : "pictures, PDF and clips";
}

export function remove(item) {
  state.items.splice(state.items.indexOf(item), 1);
  forget("items", item.id);
  events.show(state.items.at(-1) ?? null);
}

export function drawTray(current) {
  const list = find("tray");
  list.hidden = state.items.length < 1;
  list.replaceChildren(...state.items.map((item) => {
    const label = { image: "", document: item.count > 1 ? plural(item.count, "page") : "PDF", video: "clip" }[item.kind];
    const film = item.kind === "video" && item.playable;
    const picture = film ? el("video", { src: item.url, muted: true, preload: "metadata", tabindex: -1 }) : el("img", { src: item.url, alt: "" });
    const tick = el("input", { type: "checkbox", "aria-label": `${item.name} goes with the next question`, title: "Goes with the next question", checked: item.ticked, onchange: (event) => {
      item.ticked = event.target.checked;
      events.changed();
    } });
    return el("li", {},
      el("button", { type: "button", class: "pick", "aria-label": `Show ${item.name}`, "aria-current": String(item === current), title: item.name, onclick: () => events.show(item) }, picture),
      label ? el("span", { class: "kind" }, label) : "", tick,
      el("button", { type: "button", class: "icon away", "aria-label": `Remove ${item.name}`, onclick: () => remove(item) }, "✕"));
  }));
}

// Files of a drop, those below folders too.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(below))).flat();
}

export async function below(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader gives a hundred entries at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return (await Promise.all(found.map(below))).flat();
    found.push(...some);
  }
}
