// Elements in one call. Text is always text: nothing of an answer is ever read as markup.
const SVG = "http://www.w3.org/2000/svg";

export const find = (id) => document.getElementById(id);

export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

// "1 place", "3 places", "no places".
export const plural = (count, word) => `${count === 0 ? "no" : number(count)} ${word}${count === 1 ? "" : "s"}`;

export const number = (value) => Math.round(value).toLocaleString("en");

export const clock = (seconds) => {
  const whole = Math.floor(seconds / 60);
  return `${whole}:${(seconds - 60 * whole).toFixed(1).padStart(4, "0")}`;
};
