// The pages of a document with what was done on each, and which pages or files a job is for.
import { el, find, number } from "./dom.js";
import { latest, state } from "./state.js";

const MOST = 400;

export function drawPages(item, turn) {
  const strip = find("pages");
  strip.hidden = item?.kind !== "document" || item.count < 2;
  if (strip.hidden) return;
  const shown = Math.min(item.count, MOST);
  strip.replaceChildren(...Array.from({ length: shown }, (_, i) => {
    const page = i + 1;
    const result = latest(item, page);
    const told = result ? `, ${result.task} ${result.status}` : "";
    return el("li", {}, el("button", { type: "button", class: `part ${result?.status ?? ""}`, "aria-current": String(page === item.page), "aria-label": `Page ${page}${told}`, onclick: () => turn(page) }, String(page)));
  }));
  strip.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

// Offers what a job can be for: what is shown, all pages, some pages, all files.
export function drawScope(item, task) {
  const scope = find("scope");
  const many = task.kinds.includes(item?.kind) && item.count > 1;
  const files = task.label === "Ask" ? [] : state.items.filter((each) => task.kinds.includes(each.kind));
  const offers = [["shown", many ? `page ${item.page}` : "this one"]];
  if (many) offers.push(["all", `all ${number(item.count)} pages`], ["some", "some pages"]);
  if (files.length > 1) offers.push(["files", `all ${number(files.length)} files`]);
  const before = scope.value;
  scope.replaceChildren(...offers.map(([value, label]) => el("option", { value }, label)));
  scope.value = offers.some(([value]) => value === before) ? before : "shown";
  scope.hidden = offers.length < 2;
  find("range").hidden = scope.hidden || scope.value !== "some";
}

// [{item, page}] that the job is for. Throws a sentence for people.
export function targets(item, task) {
  const pages = (each) => Array.from({ length: each.count > 1 ? each.count : 1 }, (_, i) => ({ item: each, page: i + 1 }));
  switch (find("scope").hidden ? "shown" : find("scope").value) {
    case "all":
      return pages(item);
    case "some":
      return pageRange(find("range").value, item.count).map((page) => ({ item, page }));
    case "files":
      return state.items.filter((each) => task.kinds.includes(each.kind)).flatMap(pages);
    default:
      return [{ item, page: item?.page ?? 1 }];
  }
}

// "1-3, 7" as [1, 2, 3, 7].
export function pageRange(text, count) {
  const pages = new Set();
  for (const part of text.split(",").map((piece) => piece.trim()).filter(Boolean)) {
    const [, first, last = first] = /^(\d+)(?:\s*[-–]\s*(\d+))?$/.exec(part) ?? [];
    if (first === undefined || +first < 1 || +last > count || +first > +last) throw new Error(`“${part}” names no pages of 1 to ${count}; write them as 1-3, 7.`);
    for (let page = +first; page <= +last; page++) pages.add(page);
  }
  if (!pages.size) throw new Error("Name the pages: 1-3, 7.");
  return [...pages].sort((a, b) => a - b);
}
