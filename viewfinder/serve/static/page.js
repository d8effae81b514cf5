// A parsed page beside its picture. Built from the typed elements, so nothing the model wrote runs or loads.
import { el } from "./dom.js";

export function page(parsed, events) {
  const colors = new Map();
  const blocks = parsed.elements.map((element, index) => {
    if (!colors.has(element.kind)) colors.set(element.kind, colors.size % 8);
    return el("div", {
      class: `element c${colors.get(element.kind)}`, "data-element": index, tabindex: 0,
      onpointerenter: () => events.light(index), onpointerleave: () => events.light(null),
      onfocus: () => events.light(index), onblur: () => events.light(null),
    }, body(element));
  });
  return el("div", { class: "page", role: "document", "aria-label": `Page ${parsed.page}` }, blocks);
}

function body(element) {
  if (element.rows) return table(element);
  switch (element.kind) {
    case "heading":
      return el("h3", { "aria-level": element.level + 2 }, element.text);
    case "list":
      return el(element.ordered ? "ol" : "ul", {}, items(element.items));
    case "formula":
      return el("code", {}, element.latex || element.text);
    case "break":
      return el("hr");
    default:
      return element.text ? el("p", {}, element.text) : el("p", { class: "plate" }, element.kind);
  }
}

const items = (list) => list.map((item) => el("li", {}, item.text, item.items ? el("ul", {}, items(item.items)) : ""));

function table({ rows, header_rows: heads }) {
  return el("table", {}, rows.map((row, i) => el("tr", {}, row.map((cell) => el(i < heads ? "th" : "td", {}, String(cell ?? ""))))));
}
