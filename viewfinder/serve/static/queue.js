// The answers that a person goes through: how many are checked, the next one, and the checked ones as files.
import { el, find, number, plural } from "./dom.js";
import { files, menu } from "./downloads.js";
import { ended } from "./state.js";

export function drawQueue(next) {
  const all = ended();
  const checked = all.filter((result) => result.checked);
  const bar = find("queue");
  bar.hidden = all.length < 2 && !checked.length;
  if (bar.hidden) return;
  bar.replaceChildren(
    el("progress", { max: all.length, value: checked.length, "aria-label": "Answers checked" }),
    el("span", { class: "figures", role: "status" }, `${number(checked.length)} of ${plural(all.length, "answer")} checked`),
    el("span", { class: "grow" }),
    checked.length < all.length ? el("button", { type: "button", class: "quiet", onclick: next }, "Next to check") : "",
    checked.length ? menu("Checked", files(checked)) : "",
  );
}
