// What the page holds, and the few words that every part says to people.
import { el, find } from "./dom.js";

// card: the server's model object; items: media; turns: what was asked, with its results; active: the card that is drawn.
export const state = { card: null, items: [], turns: [], active: null, correction: null, stop: null };

export const results = () => state.turns.flatMap((turn) => turn.results);
export const ended = () => results().filter((result) => result.status === "done");

// The newest answer about a page of an item.
export const latest = (item, page) => results().findLast((result) => result.item === item && (item.kind !== "document" || result.page === page));

export const announce = (text) => { find("announce").textContent = text; };

export function complain(text) {
  find("welcome").hidden = true;
  const gone = el("button", { type: "button", class: "icon", "aria-label": "Close this message", onclick: () => note.remove() }, "✕");
  const note = el("article", { class: "card row" }, el("p", { class: "failure grow", role: "alert" }, text), gone);
  find("thread").append(note);
  scrollDown();
}

export function scrollDown() {
  const thread = find("thread");
  thread.scrollTop = thread.scrollHeight;
}
