// The lower right: which job, what it is for, the words, and what it will cost.
import { compare, stage } from "./answers.js";
import { el, find, number } from "./dom.js";
import { drawScope, targets } from "./pages.js";
import { options } from "./settings.js";
import { expected } from "./sizes.js";
import { complain, state } from "./state.js";
import { TASKS } from "./tasks.js";
import { drawTray } from "./tray.js";
import { submit } from "./turns.js";

const chosen = () => document.querySelector("#tasks :checked").value;

export function buildComposer() {
  find("tasks").append(...Object.entries(TASKS).map(([name, { label }], i) =>
    el("label", {}, el("input", { type: "radio", name: "task", value: name, checked: i === 0 }), label)));
  find("tasks").addEventListener("change", fit);
  find("scope").addEventListener("change", fit);
  find("range").addEventListener("input", estimate);
  find("composer").addEventListener("submit", ask);
  find("question").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) ask(event);
  });
  fit();
}

// A job and its words, chosen for somebody.
export function choose(task, words) {
  document.querySelector(`#tasks [value=${task}]`).checked = true;
  fit();
  find("question").value = words;
}

// What can be asked of what is shown.
export function fit() {
  const kind = stage.item?.kind;
  for (const radio of document.querySelectorAll("#tasks input")) {
    radio.disabled = radio.value !== "ask" && !TASKS[radio.value].kinds.includes(kind);
    if (radio.disabled && radio.checked) document.querySelector("#tasks [value=ask]").checked = true;
  }
  const task = TASKS[chosen()];
  find("question").placeholder = task.hint;
  find("question").disabled = Boolean(task.wordless);
  find("question-label").textContent = task.hint;
  if (!state.stop) find("send").textContent = task.label;
  drawScope(stage.item, task);
  compare.offer();
  estimate();
}

export function busy(on) {
  find("send").textContent = on ? "Stop" : TASKS[chosen()].label;
  find("composer").setAttribute("aria-busy", String(on));
  if (!on) {
    drawTray(stage.item);
    fit();
  }
}

export function estimate() {
  const settings = state.card?.viewfinder.stamp.settings;
  if (!settings || !stage.item) {
    find("estimate").textContent = "";
    return stage.about("");
  }
  const seen = expected(stage.item, settings, options());
  if (find("model-view").getAttribute("aria-pressed") === "true") stage.modelView(seen.size);
  stage.about(`${about(stage.item)} → ${seen.frames ? `${seen.frames} frames of ` : ""}${seen.size.map(number).join(" × ")}`);
  const tokens = asked().reduce((sum, item) => sum + expected(item, settings, options()).tokens, 0);
  const { prices } = state.card.viewfinder;
  const cost = prices ? ` · about $${((prices[0] * tokens) / 1e6).toPrecision(2)}` : "";
  find("estimate").textContent = tokens ? `about ${number(tokens)} picture tokens${cost}` : "";
  return undefined;
}

function about(item) {
  const size = item.size.map(number).join(" × ");
  if (item.kind !== "video") return size;
  return `${size}, ${item.duration.toFixed(1)} s of ${item.codec}${item.playable ? "" : ` (this browser cannot play it; ${item.stills.length} frames of it are shown)`}`;
}

// The items that will be looked at, one for each page.
function asked() {
  if (chosen() === "ask" && find("scope").value === "shown") return state.items.filter((item) => item.ticked);
  try {
    const wanted = targets(stage.item, TASKS[chosen()]).map(({ item, page }) => ({ ...item, size: item.pages?.get(page)?.size ?? item.size }));
    return chosen() === "ask" ? [...wanted, ...state.items.filter((item) => item.ticked && item !== stage.item)] : wanted;
  } catch {
    return [];
  }
}

function ask(event) {
  event.preventDefault();
  if (state.stop) return state.stop.abort();
  const task = chosen();
  const words = find("question").value.trim();
  if (!words && !TASKS[task].wordless && !TASKS[task].optional) return find("question").focus();
  try {
    const wanted = targets(stage.item, TASKS[task]);
    find("question").value = "";
    return submit(task, words, wanted);
  } catch (error) {
    return complain(error.message);
  }
}
