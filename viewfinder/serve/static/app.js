// Puts the page together: what is shown, what was asked, and which answer is drawn.
import { get, key, Refused } from "./api.js";
import { Correction } from "./correct.js";
import { el, find, number } from "./dom.js";
import { readFile, turnTo } from "./media.js";
import { openSettings, options } from "./settings.js";
import { expected } from "./sizes.js";
import { Stage } from "./stage.js";
import { converse, run, TASKS } from "./tasks.js";
import { asked, Card } from "./thread.js";

const state = { card: null, items: [], active: null, correction: null, conversation: [], told: new Set(), stop: null };

const stage = new Stage({
  light: (index) => light(index),
  open: (index) => state.active?.scrollTo(index),
  turned: (item) => show(item),
  change: (index) => state.correction?.moved(index),
  add: (mark) => state.correction.add(mark),
  remove: (index) => state.correction.remove(index),
});

// --- media

async function addFiles(files) {
  for (const file of files) {
    announce(`reading ${file.name}`);
    try {
      const item = await readFile(file);
      state.items.push(item);
      show(item);
      announce(`${file.name} is shown`);
    } catch (error) {
      complain(`${file.name}: ${error.message}`);
    }
  }
}

function show(item) {
  if (state.active && state.active.result.item !== item) close();
  stage.show(item);
  redraw();
  tray();
  fitTasks();
  estimate();
}

function drop(item) {
  state.items.splice(state.items.indexOf(item), 1);
  if (stage.item === item) show(state.items.at(-1) ?? null);
  else tray();
}

function tray() {
  const list = find("tray");
  list.hidden = state.items.length < 1;
  list.replaceChildren(...state.items.map((item) => {
    const label = { image: "", document: "PDF", video: "clip" }[item.kind];
    const picture = item.kind === "video" ? el("video", { src: item.url, muted: true, preload: "metadata", tabindex: -1 }) : el("img", { src: item.url, alt: "" });
    return el("li", {},
      el("button", { type: "button", class: "pick", "aria-label": `Show ${item.name}`, "aria-current": String(item === stage.item), title: item.name, onclick: () => show(item) }, picture),
      label ? el("span", { class: "kind" }, label) : "",
      el("button", { type: "button", class: "icon away", "aria-label": `Remove ${item.name}`, onclick: () => drop(item) }, "✕"));
  }));
}

// --- answers

async function ask(event) {
  event.preventDefault();
  if (state.stop) return state.stop.abort();
  const task = chosen();
  const words = find("question").value.trim();
  if (!words && !TASKS[task].wordless && !TASKS[task].optional) return find("question").focus();
  const fresh = task === "ask" ? state.items.filter((item) => !state.told.has(item)) : [stage.item];
  const result = { task, question: words, items: fresh.filter(Boolean), marks: [], spans: [] };
  for (const item of task === "ask" ? result.items : []) state.told.add(item);
  result.shown = task === "ask" ? [...state.told] : result.items;
  result.item = task === "ask" ? result.shown.find((item) => item.kind !== "video") ?? result.shown[0] ?? null : stage.item;
  result.page = result.item?.page ?? 0;
  const card = new Card(result, { activate: () => activate(card), light, correct: () => correct(card), seek: (seconds) => stage.timeline.seek(seconds) });
  find("welcome").hidden = true;
  find("thread").append(asked(result), card.node);
  find("question").value = "";
  close();
  await answer(card);
  return undefined;
}

async function answer(card) {
  const { result } = card;
  state.stop = new AbortController();
  busy(true);
  scrollDown();
  try {
    const { signal } = state.stop;
    const told = (text) => { card.told(text); scrollDown(); };
    if (result.task === "ask") await converse(result, state.conversation, state.card.id, options(), signal, told);
    else await run(result, options(), signal);
    card.finish(state.card.viewfinder.prices);
    if (result.item?.kind === "video" && result.duration) result.item.duration = result.duration;
    await activate(card);
    announce(spoken(result));
  } catch (error) {
    card.failed(error.name === "AbortError" ? "Stopped." : error.message);
    if (error instanceof Refused && error.status === 401) openSettings(facts());
    else if (!(error instanceof Refused) && error.name !== "AbortError") throw error;
  } finally {
    state.stop = null;
    busy(false);
    estimate();
    scrollDown();
  }
}

async function activate(card) {
  if (state.active === card && stage.item === card.result.item) return;
  close();
  state.active = card;
  const { item, page } = card.result;
  if (item && state.items.includes(item)) {
    if (item.kind === "document" && item.page !== page) await turnTo(item, page);
    show(item);
  }
  card.node.classList.add("active");
  redraw();
}

function correct(card) {
  activate(card).then(() => {
    state.correction = new Correction(card.result, stage, { changed: redraw, light, done: () => { endCorrection(); redraw(); } });
    card.room.replaceChildren(state.correction.node);
    find("edit-hint").textContent = state.correction.hint;
    find("edit-hint").hidden = !state.correction.hint;
    redraw();
    if (state.correction.editing && state.correction.marks.length) stage.overlay.focus(0);
    else card.room.querySelector("textarea, input")?.focus();
    card.room.scrollIntoView({ block: "nearest" });
  });
}

function endCorrection() {
  state.correction?.node.remove();
  state.correction = null;
  find("edit-hint").hidden = true;
}

function close() {
  endCorrection();
  state.active?.node.classList.remove("active");
  state.active = null;
}

// Draws the active answer, or its correction, on what is shown.
function redraw() {
  const result = state.active?.result;
  const here = result && result.item === stage.item && (stage.item?.kind !== "document" || result.page === stage.item.page);
  const marks = state.correction ? state.correction.marks : result?.marks ?? [];
  stage.marks(here ? marks : [], { editing: here ? state.correction?.editing ?? null : null, faint: Boolean(here && result.document) });
  if (stage.item?.kind === "video") {
    const clip = here ? result.media?.find((info) => info.kind === "video") : null;
    stage.timeline.show(here ? state.correction?.spans ?? result.spans : [], clip?.frame_times);
  }
}

function light(index) {
  stage.overlay.light(index);
  stage.timeline.light(index);
  state.active?.light(index);
}

function spoken(result) {
  if (result.count !== undefined) return `${result.count} found`;
  if (result.spans.length) return `${result.spans.length} moments found`;
  if (result.marks.length && !result.said) return `${result.marks.length} places found`;
  return result.said || "the answer is there";
}

// --- the composer

const chosen = () => document.querySelector("#tasks :checked").value;

function buildTasks() {
  find("tasks").append(...Object.entries(TASKS).map(([name, { label }], i) =>
    el("label", {}, el("input", { type: "radio", name: "task", value: name, checked: i === 0 }), label)));
  find("tasks").addEventListener("change", () => { fitTasks(); estimate(); });
}

function fitTasks() {
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
}

function estimate() {
  const settings = state.card?.viewfinder.stamp.settings;
  if (!settings || !stage.item) {
    find("estimate").textContent = "";
    return stage.about("");
  }
  const seen = expected(stage.item, settings, options());
  if (find("model-view").getAttribute("aria-pressed") === "true") stage.modelView(seen.size);
  const frames = seen.frames ? `${seen.frames} frames of ` : "";
  stage.about(`${stage.item.size.map(number).join(" × ")} → ${frames}${seen.size.map(number).join(" × ")}`);
  const items = chosen() === "ask" ? state.items.filter((item) => !state.told.has(item)) : [stage.item];
  const tokens = items.reduce((sum, item) => sum + expected(item, settings, options()).tokens, 0);
  const prices = state.card.viewfinder.prices;
  const cost = prices ? ` · about $${((prices[0] * tokens) / 1e6).toPrecision(2)}` : "";
  find("estimate").textContent = tokens ? `about ${number(tokens)} picture tokens${cost}` : "";
  return undefined;
}

function busy(on) {
  find("send").textContent = on ? "Stop" : TASKS[chosen()].label;
  find("composer").setAttribute("aria-busy", String(on));
}

const announce = (text) => { find("announce").textContent = text; };

function complain(text) {
  find("welcome").hidden = true;
  find("thread").append(el("article", { class: "card" }, el("p", { class: "failure", role: "alert" }, text)));
  scrollDown();
}

function scrollDown() {
  const thread = find("thread");
  thread.scrollTop = thread.scrollHeight;
}

// --- start

const facts = () => (state.card ? { Model: state.card.id, Stamp: state.card.viewfinder.stamp.hash, "Longest request": `${number(state.card.max_model_len)} tokens`, "Keeps corrections": state.card.viewfinder.keeps_samples ? "yes" : "no; start it with --samples FOLDER", Version: state.card.viewfinder.version } : {});

async function connect() {
  const told = find("model");
  try {
    const { data } = await get("v1/models");
    [state.card] = data;
    told.textContent = state.card.id;
    told.className = "model ready";
    estimate();
  } catch (error) {
    told.textContent = error.status === 401 ? "needs an API key" : error.message;
    told.className = "model failed";
    if (error.status === 401) openSettings(facts());
  }
}

function listen() {
  find("composer").addEventListener("submit", ask);
  find("question").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) ask(event);
  });
  for (const id of ["choose", "attach"]) find(id).addEventListener("click", () => find("file").click());
  find("file").addEventListener("change", (event) => { addFiles([...event.target.files]); event.target.value = ""; });
  find("sample").addEventListener("click", async () => {
    const data = await (await fetch("receipt.png")).blob();
    addFiles([new File([data], "receipt.png", { type: "image/png" })]);
  });
  find("fresh").addEventListener("click", () => {
    state.stop?.abort();
    close();
    Object.assign(state, { conversation: [], told: new Set() });
    find("thread").replaceChildren(find("welcome"));
    find("welcome").hidden = false;
    redraw();
    estimate();
    find("question").focus();
  });
  find("model-view").addEventListener("click", (event) => {
    const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
    stage.modelView(on && state.card ? expected(stage.item, state.card.viewfinder.stamp.settings, options()).size : null);
  });
  find("open-settings").addEventListener("click", () => openSettings(facts()));
  find("settings").addEventListener("close", () => { if (!state.card && key.get()) connect(); estimate(); });
  document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) addFiles([...event.clipboardData.files]); });
  let inside = 0;
  document.addEventListener("dragenter", () => { inside += 1; find("drop").hidden = false; });
  document.addEventListener("dragleave", () => { inside -= 1; find("drop").hidden = inside > 0 ? false : true; });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    find("drop").hidden = true;
    addFiles([...event.dataTransfer.files]);
  });
}

buildTasks();
listen();
fitTasks();
connect();
