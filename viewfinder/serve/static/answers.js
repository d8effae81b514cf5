// Which answer is drawn on what is shown, and putting it right.
import { Correction } from "./correct.js";
import { find } from "./dom.js";
import { Compare } from "./compare.js";
import { turnTo } from "./media.js";
import { drawPages } from "./pages.js";
import { drawQueue } from "./queue.js";
import { Stage } from "./stage.js";
import { ended, state } from "./state.js";
import { keepItem, keepTurn } from "./store.js";
import { drawTray } from "./tray.js";

export const stage = new Stage({
  light: (index) => light(index),
  open: (index) => state.active?.scrollTo(index),
  turned: (item) => show(item),
  change: (index) => state.correction?.moved(index),
  add: (mark) => state.correction.add(mark),
  remove: (index) => state.correction.remove(index),
});
export const compare = new Compare((item) => show(item));

let changed = () => {};
export const whenShown = (act) => { changed = act; };

export function show(item) {
  if (state.active && state.active.result.item !== item) close();
  compare.end();
  stage.show(item);
  if (item?.kind === "document") keepItem(item);
  redraw();
  drawTray(item);
  drawPages(item, (page) => stage.turn(page));
  changed();
}

export async function activate(card) {
  if (state.active === card && stage.item === card.result.item) return;
  close();
  state.active = card;
  const { item, page } = card.result;
  card.batch?.show(card);
  if (item && state.items.includes(item)) {
    if (item.kind === "document" && item.page !== page) await turnTo(item, page);
    show(item);
  }
  card.node.classList.add("active");
  redraw();
}

export function correct(card) {
  activate(card).then(() => {
    state.correction = new Correction(card.result, stage, { changed: redraw, light, done: () => { endCorrection(); card.draw(); redraw(); }, kept: () => checked(card) });
    card.room.replaceChildren(state.correction.node);
    find("edit-hint").textContent = state.correction.hint;
    find("edit-hint").hidden = !state.correction.hint;
    redraw();
    if (state.correction.editing && state.correction.marks.length) stage.overlay.focus(0);
    else card.room.querySelector("textarea, input")?.focus();
    card.room.scrollIntoView({ block: "nearest" });
  });
}

// The answer is right as it is: kept as a sample like a corrected one, where the server keeps samples.
export async function right(card) {
  await activate(card);
  const correction = new Correction(card.result, stage, { changed() {}, light() {}, done() {}, kept() {} });
  const saved = correction.save({ right: true, onServer: state.card?.viewfinder.keeps_samples });
  card.draw();
  checked(card);
  await saved;
  if (correction.failure) card.room.replaceChildren(correction.failure);
}

// The answer that is to be checked next, after the active one.
export function next() {
  const open = ended().filter((result) => !result.checked);
  const at = open.findIndex((result) => result === state.active?.result);
  const result = open[at + 1] ?? open[0];
  if (!result) return;
  activate(result.card).then(() => result.card.node.scrollIntoView({ block: "nearest" }));
}

function checked(card) {
  keepTurn(card.turn);
  card.batch?.draw();
  drawQueue(next);
}

function endCorrection() {
  state.correction?.node.remove();
  state.correction = null;
  find("edit-hint").hidden = true;
}

export function close() {
  endCorrection();
  state.active?.node.classList.remove("active");
  state.active = null;
}

// Draws the active answer, or its correction, on what is shown.
export function redraw() {
  const result = state.active?.result;
  const here = result && result.item === stage.item && (stage.item?.kind !== "document" || result.page === stage.item.page);
  const kept = result?.checked?.marks ?? result?.marks ?? [];
  const marks = state.correction ? state.correction.marks : kept;
  stage.marks(here ? marks : [], { editing: here ? state.correction?.editing ?? null : null, faint: Boolean(here && result.document) });
  if (stage.item?.kind === "video") {
    const clip = here ? result.media?.find((info) => info.kind === "video") : null;
    stage.timeline.show(here ? state.correction?.spans ?? result.checked?.spans ?? result.spans : [], clip?.frame_times);
  }
}

export function light(index) {
  stage.overlay.light(index);
  stage.timeline.light(index);
  state.active?.light(index);
}
