// Puts the page together: connects to the server, brings back what was kept, and lets the parts hear of one another.
import { show, stage, whenShown, next } from "./answers.js";
import { get, key } from "./api.js";
import { buildComposer, busy, choose, estimate, fit } from "./composer.js";
import { find, number } from "./dom.js";
import { buildGallery } from "./gallery.js";
import { buildLive } from "./live.js";
import { measure, readKept } from "./media.js";
import { drawQueue } from "./queue.js";
import { openSettings, options } from "./settings.js";
import { expected } from "./sizes.js";
import { scrollDown, state } from "./state.js";
import { keptItems, keptTurns } from "./store.js";
import { listenForFiles, taken, words } from "./tray.js";
import { clear, place, whenAsked } from "./turns.js";

function facts() {
  if (!state.card) return {};
  const { id, max_model_len: most, viewfinder: { stamp, keeps_samples: keeps, version } } = state.card;
  return { Model: id, Stamp: stamp.hash, "Longest request": `${number(most)} tokens`, "Keeps corrections": keeps ? "yes" : "no; start it with --samples FOLDER", Version: version };
}

async function connect() {
  const told = find("model");
  try {
    const { data } = await get("v1/models");
    [state.card] = data;
    told.textContent = state.card.id;
    told.className = "model ready";
    find("kinds").textContent = `Taken are ${words()}.`;
    find("file").setAttribute("accept", ["image/*", "video/*", "application/pdf", ...taken().all].join(","));
    estimate();
  } catch (error) {
    told.textContent = error.status === 401 ? "needs an API key" : error.message;
    told.className = "model failed";
    if (error.status === 401) openSettings(facts());
  }
}

// Media and turns of before a reload.
async function restore() {
  const items = await Promise.all((await keptItems()).map(readKept));
  const turns = await keptTurns(items);
  if (!items.length && !turns.length) return;
  state.items.unshift(...items);
  state.turns.unshift(...turns);
  turns.forEach(place);
  show(state.items.at(-1) ?? null);
  drawQueue(next);
  scrollDown();
}

async function settingsClosed() {
  if (!state.card && key.get()) connect();
  await Promise.all(state.items.filter((item) => item.kind === "video").map(measure)).catch(() => {});
  estimate();
}

function listen() {
  listenForFiles({ show, changed: fit });
  whenShown(fit);
  whenAsked({ busy, refused: () => openSettings(facts()) });
  find("fresh").addEventListener("click", () => {
    clear();
    show(stage.item);
    find("question").focus();
  });
  find("model-view").addEventListener("click", (event) => {
    const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
    stage.modelView(on && state.card ? expected(stage.item, state.card.viewfinder.stamp.settings, options()).size : null);
  });
  find("open-settings").addEventListener("click", () => openSettings(facts()));
  find("settings").addEventListener("close", settingsClosed);
}

buildComposer();
buildGallery(choose);
buildLive();
listen();
connect();
restore();
