// What a person sets: the key, the look, budgets. Kept in this browser; the key only in this tab.
import { key } from "./api.js";
import { el, find } from "./dom.js";

const FIELDS = { mostTokens: "most-tokens", fps: "fps", maxTokens: "max-tokens", temperature: "temperature" };
const KEPT = "viewfinder-settings";

const kept = () => JSON.parse(localStorage.getItem(KEPT) ?? "{}");

// Numbers; what is not set is undefined.
export const options = () => kept();

function wear(look) {
  if (look) document.documentElement.dataset.look = look;
  else delete document.documentElement.dataset.look;
}

export function openSettings(facts) {
  const { look = "", ...numbers } = kept();
  find("look").value = look;
  find("key").value = key.get();
  for (const [name, id] of Object.entries(FIELDS)) find(id).value = numbers[name] ?? "";
  find("facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  if (!find("settings").open) find("settings").showModal();
}

function keep() {
  const settings = {};
  for (const [name, id] of Object.entries(FIELDS)) if (Number(find(id).value) > 0) settings[name] = Number(find(id).value);
  if (find("look").value) settings.look = find("look").value;
  localStorage.setItem(KEPT, JSON.stringify(settings));
  key.set(find("key").value);
  wear(settings.look);
}

find("settings").addEventListener("close", keep);
find("look").addEventListener("change", (event) => wear(event.target.value));
wear(kept().look);
