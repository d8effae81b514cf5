// The jobs: what each asks of the server and how its answer becomes marks, spans, values and words.
// Marks lie in pixels of the item as it is shown, whatever size the server drew it at.
import { post, stream } from "./api.js";
import { drawn, partOf } from "./media.js";
import { options } from "./settings.js";

const picture = async (item, page) => (item.kind === "document" ? (await drawn(item, page)).picture : item.uri);
const places = (answer) => [...(answer.boxes ?? []), ...(answer.points ?? [])];
const looking = (path) => ({
  kinds: ["image", "document"],
  ask: async (item, page, words) => [path, { image: await picture(item, page), ...(words ? { query: words } : {}) }],
});

export const TASKS = {
  ask: { label: "Ask", hint: "Ask anything about it", kinds: ["image", "document", "video"], correct: "text" },
  locate: { label: "Locate", hint: "What to find: every red box", ...looking("v1/locate"), read: (a) => ({ marks: places(a) }), correct: "box" },
  point: { label: "Point", hint: "What to point at", ...looking("v1/point"), read: (a) => ({ marks: places(a) }), correct: "point" },
  count: { label: "Count", hint: "What to count", ...looking("v1/count"), read: (a) => ({ marks: places(a), count: a.count }), correct: "point" },
  read: {
    label: "Read", hint: "All text, line by line", wordless: true, kinds: ["image", "document"], correct: "text",
    ask: async (item, page) => ["v1/read", { image: await picture(item, page) }],
    read: (a) => ({ said: a.text }),
  },
  parse: {
    label: "Parse", hint: "The page as headings, text, tables and figures", wordless: true, kinds: ["image", "document"], correct: "text",
    ask: (item, page) => ["v1/parse", { document: item.uri, pages: [page] }],
    read: (a) => ({ document: a.pages[0], raw: a.html, failed: a.failed[0]?.reason }),
  },
  extract: {
    label: "Extract", hint: "Names of values: total, date, seller", kinds: ["image", "document"], correct: "text",
    ask: (item, page, words) => ["v1/extract", { document: item.uri, pages: [page], schema: names(words) }],
    read: (a) => ({ values: a.fields, marks: a.fields.filter((f) => f.box).map((f) => ({ box: f.box, label: f.path, text: String(f.value), confidence: f.confidence })), raw: JSON.stringify(a.data, null, 1) }),
  },
  moments: {
    label: "Moments", hint: "What happens, or nothing for all events", optional: true, kinds: ["video"], correct: "span",
    ask: (item, _, words) => ["v1/moments", { video: item.uri, ...(words ? { query: words } : {}), ...(options().fps ? { fps: options().fps } : {}) }],
    read: (a) => ({ spans: a.moments, duration: a.duration }),
  },
};

const names = (words) => words.split(/[,;\n]/).map((name) => name.trim()).filter(Boolean);

// One job on one page or item. What comes back is added to `result`.
export async function run(result, signal) {
  const { ask, read } = TASKS[result.task];
  const [path, body] = await ask(result.item, result.page, result.question);
  const { mostTokens, maxTokens } = options();
  if (mostTokens) body.max_pixels = mostTokens * 784;
  if (maxTokens) body.max_tokens = maxTokens;
  const answer = await post(path, body, signal);
  Object.assign(result, { answer, raw: answer.text, usage: answer.usage, media: answer.media, stamp: answer.stamp, finish: answer.finish_reason }, read(answer));
  settle(result);
}

// What a person said in a turn of the conversation, with its media.
export const said = (result) => ({ role: "user", content: [...result.items.map((item) => partOf(item, result.pages?.[item.id])), { type: "text", text: result.question }] });

// A turn of the conversation, streamed; `told` is called with all text so far.
export async function converse(result, before, model, signal, told) {
  const body = { model, messages: [...before, said(result)], coordinates: "original" };
  const { maxTokens, temperature } = options();
  if (maxTokens) body.max_tokens = maxTokens;
  if (temperature) body.temperature = temperature;
  result.said = "";
  try {
    for await (const chunk of stream("v1/chat/completions", body, signal)) {
      if (chunk.usage) result.usage = { ...result.usage, ...chunk.usage };
      if (chunk.viewfinder) seen(result, chunk.viewfinder);
      for (const choice of chunk.choices) {
        result.said += choice.delta.content ?? "";
        told(result.said);
      }
    }
  } finally {
    result.raw = result.said;
  }
  settle(result);
}

function seen(result, told) {
  const [found] = told.places ?? [{}];
  Object.assign(result, { media: told.media, stamp: told.stamp, finish: told.finish_reasons[0], marks: places(found), spans: found.spans ?? [] });
  result.usage = { ...result.usage, media_tokens: told.media_tokens };
}

// Places to the size of what is shown, and a color for each name.
function settle(result) {
  const picture = result.media?.find((info) => info.kind === "image");
  const size = result.item?.kind === "document" ? result.item.pages.get(result.page)?.size : result.item?.size;
  const scale = picture && size ? size.map((side, i) => side / picture.original_size[i]) : [1, 1];
  const colors = new Map();
  const color = (label) => {
    if (!colors.has(label)) colors.set(label, colors.size % 8);
    return colors.get(label);
  };
  const fitted = (values) => values.map((value, i) => value * scale[i % 2]);
  const dressed = (mark) => ({
    ...mark, color: color(mark.label ?? ""),
    ...(mark.box ? { box: fitted(mark.box) } : {}), ...(mark.point ? { point: fitted(mark.point) } : {}),
  });
  if (result.document) {
    // elements of a page stay in their own order; those without a box are not marks
    const [width, height] = result.document.transform?.original_size ?? size;
    const shown = size ?? [width, height];
    scale.splice(0, 2, shown[0] / width, shown[1] / height);
    result.marks = result.document.elements.map((e, element) => (e.box ? { box: e.box, label: e.kind, element } : null)).filter(Boolean);
  }
  result.marks = (result.marks ?? []).map(dressed);
  result.spans = (result.spans ?? []).map((span) => ({ ...span, color: color(span.label ?? "") }));
}
