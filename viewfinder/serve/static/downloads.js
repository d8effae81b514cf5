// Answers and corrections as files. What Python writes elsewhere (COCO, YOLO, Label Studio, drawings) the server writes here.
import { fetched } from "./api.js";
import { el } from "./dom.js";
import { complain } from "./state.js";

const stem = (name) => name.split("/").pop().replace(/\.\w+$/, "");
const isPage = (result) => result.item?.kind === "document" && result.item.count > 1;
const nameOf = (result) => (isPage(result) ? `${stem(result.item.name)}-page-${result.page}.png` : result.item?.name ?? "picture");
const sizeOf = (result) => result.item.pages?.get(result.page)?.size ?? result.item.size;

// The places that hold for an answer: those that a person put right before those that the model said.
const places = (result) => result.checked?.marks ?? result.marks;

// [label, save] for each kind of file that these answers can be written as.
export function files(results) {
  const [first] = results;
  const name = results.length === 1 ? stem(nameOf(first)) : isPage(first) ? stem(first.item.name) : "answers";
  const papers = results.filter((result) => result.document);
  const marked = results.filter((result) => result.item && result.item.kind !== "video" && places(result).some((mark) => mark.box || mark.point));
  const kinds = [];
  if (papers.length) {
    kinds.push(["Markdown", () => save(`${name}.md`, joined(papers, (answer) => answer.markdown.trim(), "\n\n"), "text/markdown")]);
    kinds.push(["HTML", () => save(`${name}.html`, joined(papers, (answer) => answer.html, "\n"), "text/html")]);
  }
  kinds.push(["JSON", () => save(`${name}.json`, JSON.stringify(papers.length ? { pages: papers.flatMap((result) => result.answer.pages) } : results.map(asJson), null, 1), "application/json")]);
  if (marked.length === 1) kinds.push(["Picture with places", () => labels("png", marked, `${name}-marked.png`)]);
  if (marked.length && !papers.length) {
    kinds.push(["COCO", () => labels("coco", marked, `${name}-coco.json`)]);
    if (marked.some((result) => places(result).some((mark) => mark.box))) kinds.push(["YOLO", () => labels("yolo", marked, `${name}-yolo.zip`)]);
    kinds.push(["Label Studio", () => labels("label-studio", marked, `${name}-label-studio.json`)]);
  }
  return kinds;
}

export function menu(label, kinds) {
  const close = (event) => event.currentTarget.closest("details").removeAttribute("open");
  return el("details", { class: "menu", onclick: (event) => event.stopPropagation() }, el("summary", { class: "quiet" }, `${label} ▾`),
    el("div", {}, kinds.map(([name, act]) => el("button", { type: "button", onclick: (event) => { close(event); act(); } }, name))));
}

const joined = (papers, words, between) => `${papers.map((result) => words(result.answer)).join(between)}\n`;

function asJson(result) {
  const { task, question, item, page, checked } = result;
  const { media, usage, coordinates, ...told } = result.answer ?? { text: result.said };
  const where = item ? { file: item.name, ...(isPage(result) ? { page } : {}) } : {};
  return { ...where, task, ...(question ? { question } : {}), ...told, ...(checked ? { checked: bare(checked) } : {}) };
}

function bare({ right, marks, spans, text }) {
  const plain = (list) => list?.map(({ color, element, ...mark }) => mark);
  return { right, ...(marks ? { places: plain(marks) } : {}), ...(spans ? { spans: plain(spans) } : {}), ...(text === undefined ? {} : { text }) };
}

async function labels(format, results, name) {
  const drawn = format === "png";
  const pictures = results.map((result) => ({
    name: nameOf(result), size: sizeOf(result), ...(drawn ? { source: result.item.uri, page: result.page } : {}),
    places: places(result).slice(0, 500).map(({ box, point, label, confidence }) => ({ ...(box ? { box } : { point }), label: (label ?? "").slice(0, 500), ...(confidence === undefined ? {} : { confidence }) })),
  }));
  try {
    save(name, await (await fetched("labels", { format, pictures })).blob());
  } catch (error) {
    complain(error.message);
  }
}

function save(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
