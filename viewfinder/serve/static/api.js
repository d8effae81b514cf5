// The server: JSON calls and streamed answers. The key stays in this tab.
const KEY = "viewfinder-key";

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => sessionStorage.setItem(KEY, value.trim()),
};

export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function send(path, body, signal, more = {}) {
  const headers = { "Content-Type": "application/json" };
  if (key.get()) headers.Authorization = `Bearer ${key.get()}`;
  const options = { headers, signal, ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }), ...more };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server cannot be reached; check that it still runs.", 0);
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Refused(told.error?.message ?? `The server answered ${answer.status}.`, answer.status);
  }
  return answer;
}

export const get = async (path) => (await send(path)).json();
export const fetched = send;
export const post = async (path, body, signal) => (await send(path, body, signal)).json();
// Also while the page is left. Where it does not arrive, the server ends what is not used.
export const remove = (path) => send(path, undefined, undefined, { method: "DELETE", keepalive: true }).catch(() => {});

// Chunks of a streamed chat answer.
export async function* stream(path, body, signal) {
  const answer = await send(path, { ...body, stream: true, stream_options: { include_usage: true } }, signal);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: ?/, "");
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Refused(chunk.error.message, 500);
      yield chunk;
    }
  }
}
