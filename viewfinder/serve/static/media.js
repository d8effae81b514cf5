// Files to items: {id, name, kind, uri, url, size (width, height) of the original, duration, pages, page}.
// A picture that this browser cannot show, and every page of a PDF, is drawn by the server's decoders.
import { post } from "./api.js";

let last = 0;

export async function readFile(file) {
  const uri = await asDataUri(file);
  const item = { id: ++last, name: file.name || "pasted", uri, size: [1, 1], page: 0 };
  const kind = kindOf(file);
  if (kind === "video") return readVideo(item, file);
  if (kind === "image") {
    const image = await shown(URL.createObjectURL(file));
    if (image) return { ...item, kind, url: image.src, size: [image.naturalWidth, image.naturalHeight] };
  }
  const { count, pages } = await post("preview", { source: uri, pages: [0] });
  const drawn = { ...item, kind: kind === "image" ? "image" : "document", count, pages: new Map(pages.map((p) => [p.number, p])) };
  return { ...drawn, size: pages[0].size, url: pages[0].picture };
}

// The page of a document that is shown: its size and picture.
export async function turnTo(item, page) {
  if (!item.pages.has(page)) {
    const { pages } = await post("preview", { source: item.uri, pages: [page] });
    item.pages.set(page, pages[0]);
  }
  const { size, picture } = item.pages.get(page);
  Object.assign(item, { page, size, url: picture });
}

// As a part of a chat message. Of a document, the page that is shown.
export function partOf(item, options) {
  const most = options.mostTokens ? { max_pixels: options.mostTokens * 784 } : {};
  if (item.kind === "video") return { type: "video_url", video_url: { url: item.uri }, ...(options.fps ? { fps: options.fps } : {}) };
  if (item.kind === "document") return { type: "document", document: item.uri, pages: [item.page], ...most };
  return { type: "image_url", image_url: { url: item.uri }, ...most };
}

// As the server's sample book wants what was shown.
export function shownAs(items) {
  const [item] = items;
  if (item.kind === "video") return { video: item.uri };
  if (item.kind === "document") return { document: item.uri, page: item.page };
  return { images: items.filter((each) => each.kind === "image").map((each) => each.uri) };
}

function kindOf(file) {
  if (file.type.startsWith("video/") || /\.(mp4|mov|webm|mkv|avi|m4v|mpe?g)$/i.test(file.name)) return "video";
  if (file.type === "application/pdf" || /\.pdf$/i.test(file.name)) return "document";
  return "image";
}

async function readVideo(item, file) {
  const url = URL.createObjectURL(file);
  const video = document.createElement("video");
  video.muted = true;
  const playable = await new Promise((resolve) => {
    video.addEventListener("loadedmetadata", () => resolve(true), { once: true });
    video.addEventListener("error", () => resolve(false), { once: true });
    video.src = url;
  });
  const size = playable && video.videoWidth ? [video.videoWidth, video.videoHeight] : [640, 360];
  return { ...item, kind: "video", url, playable, size, duration: playable ? video.duration : 0 };
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
