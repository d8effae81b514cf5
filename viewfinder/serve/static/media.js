// Files to items: {id, name, file, kind, uri, url, size (width, height) of the original, page (from 1), ticked}; documents
// have count and pages, clips duration and what the model will see of them, as the server counts it.
// What this browser cannot show is drawn by the server's decoders.
import { post } from "./api.js";
import { options } from "./settings.js";

let last = 0;

export async function readFile(file) {
  const item = { id: ++last, name: file.webkitRelativePath || file.name || "pasted", file, page: 1, ticked: true };
  item.uri = await asDataUri(file);
  if (file.type.startsWith("image/")) {
    const image = await shown(URL.createObjectURL(file));
    if (image) return { ...item, kind: "image", url: image.src, size: [image.naturalWidth, image.naturalHeight] };
  }
  const playable = file.type.startsWith("video/") && (await plays(URL.createObjectURL(file)));
  const told = await post("preview", { source: item.uri, pages: [1], stills: !playable, ...rate() });
  if (told.kind === "video") return withAddress({ ...item, ...told, playable });
  const [{ size, picture }] = told.pages;
  return { ...item, kind: told.kind, count: told.count, pages: new Map(told.pages.map((p) => [p.page, p])), size, url: picture };
}

// An item that comes back from the store.
export async function readKept(item) {
  last = Math.max(last, item.id);
  return withAddress({ ...item, uri: await asDataUri(item.file) });
}

// What the model will see of a clip at another rate.
export async function measure(item) {
  const { times, seen, tokens } = await post("preview", { source: item.uri, ...rate() });
  Object.assign(item, { times, seen, tokens });
}

// The page of a document that is shown: its size and picture.
export async function turnTo(item, page) {
  await drawn(item, page);
  const { size, picture } = item.pages.get(page);
  Object.assign(item, { page, size, url: picture });
}

// A page of a document: {page, size, picture}.
export async function drawn(item, page) {
  if (!item.pages.has(page)) {
    const { pages } = await post("preview", { source: item.uri, pages: [page] });
    item.pages.set(page, pages[0]);
  }
  return item.pages.get(page);
}

// As a part of a chat message. Of a document, the pages named.
export function partOf(item, pages) {
  const { mostTokens, fps } = options();
  const most = mostTokens ? { max_pixels: mostTokens * 784 } : {};
  if (item.kind === "video") return { type: "video_url", video_url: { url: item.uri }, ...(fps ? { fps } : {}) };
  if (item.kind === "document") return { type: "document", document: item.uri, pages: pages ?? [item.page], ...most };
  return { type: "image_url", image_url: { url: item.uri }, ...most };
}

// As the server's sample book wants what was shown.
export function shownAs({ shown, page }) {
  const [item] = shown;
  if (!item) throw new Error("A sample for training needs a picture, page or clip; none is with this answer.");
  if (item.kind === "video") return { video: item.uri };
  if (item.kind === "document") return { document: item.uri, page };
  return { images: shown.filter((each) => each.kind === "image").map((each) => each.uri) };
}

function withAddress(item) {
  if (item.kind === "document" || (item.kind === "image" && item.pages)) return { ...item, url: item.pages.get(item.page).picture };
  if (item.kind === "video" && !item.playable) return { ...item, url: item.stills[0].picture };
  return { ...item, url: URL.createObjectURL(item.file) };
}

const rate = () => (options().fps ? { fps: options().fps } : {});

function plays(url) {
  const video = document.createElement("video");
  video.muted = true;
  return new Promise((resolve) => {
    video.addEventListener("loadedmetadata", () => resolve(video.videoWidth > 0), { once: true });
    video.addEventListener("error", () => resolve(false), { once: true });
    video.src = url;
  });
}

async function shown(url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(() => (image.naturalWidth ? image : null), () => null);
}

function asDataUri(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error(`${file.name} cannot be read`));
    reader.readAsDataURL(file);
  });
}
