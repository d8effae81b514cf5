// What is asked, answered, asked again and cut off. The words sent to the model are made of the turns before, so that a
// turn can be edited and a reload goes on where it was.
import { Refused } from "./api.js";
import { activate, close, correct, light, next, redraw, right, stage } from "./answers.js";
import { Batch } from "./batch.js";
import { find, plural } from "./dom.js";
import { drawPages } from "./pages.js";
import { drawQueue } from "./queue.js";
import { announce, scrollDown, state } from "./state.js";
import { forget, forgetAll, keepTurn } from "./store.js";
import { converse, run, said } from "./tasks.js";
import { asked, Card } from "./thread.js";

const ASKED = ["task", "question", "items", "shown", "item", "page", "pages"];

let events = { busy() {}, refused() {} }; // busy(on); refused(): a key is wanted
export const whenAsked = (given) => { events = given; };

const fresh = (result) => ({ ...result, marks: [], spans: [], status: "waiting" });

// One turn: a question about the ticked media, or a job on each of the targets [{item, page}].
export function submit(task, question, targets) {
  const results = task === "ask" ? [talk(question, targets)] : targets.map(({ item, page }) => fresh({ task, question, items: [item], shown: [item], item, page }));
  const turn = { id: Math.max(0, ...state.turns.map((each) => each.id)) + 1, task, question, results };
  state.turns.push(turn);
  place(turn);
  close();
  scrollDown();
  return go(turn);
}

function talk(question, targets) {
  const items = state.items.filter((item) => item.ticked);
  for (const item of items) item.ticked = false; // what was sent stays in the conversation
  const papers = items.filter((item) => item.kind === "document");
  const pages = Object.fromEntries(papers.map((item) => [item.id, item === targets[0].item ? targets.map((target) => target.page) : [item.page]]));
  const before = state.turns.filter((turn) => turn.task === "ask").flatMap((turn) => turn.results[0].items);
  const shown = [...new Set([...before, ...items])];
  const item = shown.find((each) => each.kind !== "video") ?? shown[0] ?? null;
  return fresh({ task: "ask", question, items, shown, item, pages, page: pages[item?.id]?.[0] ?? item?.page ?? 1 });
}

// The conversation before a turn, as messages.
function before(turn) {
  const earlier = state.turns.slice(0, state.turns.indexOf(turn)).filter((each) => each.task === "ask" && each.results[0].said);
  return earlier.flatMap(({ results: [result] }) => [said(result), { role: "assistant", content: result.said }]);
}

export function place(turn) {
  const cards = turn.results.map((result) => {
    const card = new Card(result, {
      activate: () => activate(card), light, seek: (seconds) => stage.timeline.seek(seconds), prices: () => state.card?.viewfinder.prices,
      correct: () => correct(card), right: () => right(card), again: () => again(card),
    });
    // not enumerable: a result is kept as data
    Object.defineProperty(result, "card", { value: card, configurable: true });
    return Object.assign(card, { turn });
  });
  const batch = cards.length > 1 ? new Batch(turn, cards, { open: (card) => { turn.picked = true; activate(card); }, goOn: () => go(turn) }) : null;
  for (const card of cards) card.batch = batch;
  const nodes = [asked(turn, (words) => edit(turn, words)), (batch ?? cards[0]).node];
  if (turn.nodes?.[0].isConnected) turn.nodes.forEach((node, i) => node.replaceWith(nodes[i]));
  else find("thread").append(...nodes);
  turn.nodes = nodes;
  find("welcome").hidden = true;
}

// Runs what is not done yet of a turn.
async function go(turn) {
  if (state.stop) return;
  state.stop = new AbortController();
  events.busy(true);
  const { signal } = state.stop;
  try {
    for (const result of turn.results) {
      if (result.status === "done") continue;
      await one(turn, result, signal);
      if (signal.aborted) break;
    }
  } finally {
    state.stop = null;
    turn.results[0].card.batch?.draw();
    events.busy(false);
    redraw();
    scrollDown();
  }
}

async function one(turn, result, signal) {
  const { card } = result;
  card.start();
  drawn(card);
  scrollDown();
  try {
    const told = (text) => { card.told(text); scrollDown(); };
    if (result.task === "ask") await converse(result, before(turn), state.card.id, signal, told);
    else await run(result, signal);
    card.end(result.failed ? "failed" : "done", result.failed);
    if (!turn.picked) await activate(card);
    announce(spoken(result));
  } catch (error) {
    const stopped = error.name === "AbortError";
    card.end(stopped ? "stopped" : "failed", stopped ? "" : error.message);
    if (error.status === 401) events.refused();
    else if (!(error instanceof Refused) && !stopped) reportError(error);
  }
  drawn(card);
  keepTurn(turn);
}

function drawn(card) {
  card.batch?.draw();
  drawPages(stage.item, (page) => stage.turn(page));
  drawQueue(next);
}

function again(card) {
  if (state.stop) return;
  close();
  reset(card.result);
  cut(card.turn);
  go(card.turn);
}

function edit(turn, words) {
  if (state.stop || !words) return;
  close();
  turn.question = words;
  for (const result of turn.results) Object.assign(reset(result), { question: words });
  cut(turn);
  place(turn);
  go(turn);
}

function reset(result) {
  for (const key of Object.keys(result)) if (!ASKED.includes(key)) delete result[key];
  return Object.assign(result, fresh({}));
}

// Later questions of a conversation were asked after another answer: they go.
function cut(turn) {
  if (turn.task !== "ask") return;
  const at = state.turns.indexOf(turn);
  for (const later of state.turns.filter((each, i) => i > at && each.task === "ask")) {
    for (const node of later.nodes) node.remove();
    for (const item of later.results[0].items) item.ticked = true;
    state.turns.splice(state.turns.indexOf(later), 1);
    forget("turns", later.id);
  }
}

export function clear() {
  state.stop?.abort();
  close();
  state.turns = [];
  forgetAll("turns");
  for (const item of state.items) item.ticked = true;
  find("thread").replaceChildren(find("welcome"));
  find("welcome").hidden = false;
  drawQueue(next);
}

function spoken(result) {
  if (result.failed) return result.failed;
  if (result.count !== undefined) return `${result.count} found`;
  if (result.spans.length) return `${plural(result.spans.length, "moment")} found`;
  if (result.marks.length && !result.said) return `${plural(result.marks.length, "place")} found`;
  return result.said || "the answer is there";
}
