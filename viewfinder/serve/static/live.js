// A running camera, screen or clip as a live session of the server. Frames go one at a time with their own seconds: while
// one is looked at, those that come are left out, so a slow server means fewer frames and never a queue.
import { get, post, remove } from "./api.js";
import { clock, el, find, number, plural } from "./dom.js";
import { options } from "./settings.js";

const SIDE = 1280; // pixels of a sent frame's longer side
const MOST_LINES = 200;
const PAUSE = 1000; // milliseconds before a frame that did not arrive is tried anew
const PASSING = [0, 409, 429, 503]; // not reached, the frame before still looked at, too much at once, not ready

const REFUSALS = {
  "camera NotAllowedError": "The camera is not allowed. Allow it for this page in the browser, beside the address, then try again.",
  "camera NotFoundError": "No camera is there. Connect one, or show a screen or a clip.",
  "camera NotReadableError": "The camera is used by another program. End that one, then try again.",
  "screen NotAllowedError": "No screen was chosen, or the browser does not allow it for this page.",
};

async function media(name) {
  const asked = name === "screen" ? navigator.mediaDevices?.getDisplayMedia?.({ video: true })
    : navigator.mediaDevices?.getUserMedia?.({ video: { facingMode: "environment", width: { ideal: SIDE } } });
  const stream = await asked?.catch((error) => {
    throw new Error(REFUSALS[`${name} ${error.name}`] ?? `The ${name} gives no picture: ${error.message}`);
  });
  if (stream) return { name, stream };
  throw new Error(isSecureContext ? `This browser cannot show the ${name}.` : `Browsers give the ${name} to https and localhost only; open this page there.`);
}

const spanned = ({ start, end }) => `${clock(start)} – ${clock(end)}`;
const paused = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

const tell = (text, failed = false) => {
  find("live-told").textContent = text;
  find("live-told").classList.toggle("failure", failed);
};

// A line at the end, or after another one.
function log(time, text, kind = "", after = null) {
  const lines = find("live-log");
  const line = el("p", { class: kind }, el("time", {}, time), el("span", {}, text));
  lines.insertBefore(line, after?.nextSibling ?? null);
  while (lines.children.length > MOST_LINES) lines.firstChild.remove();
  lines.scrollTop = lines.scrollHeight;
  return line;
}

class Live {
  constructor({ name, stream, file }, fps) {
    Object.assign(this, { name, stream, file, interval: 1 / fps, sent: 0, event: 0, calls: new AbortController(), video: find("live-video") });
    for (const track of stream?.getTracks() ?? []) track.addEventListener("ended", () => stop(`The ${name} was ended.`));
  }

  get on() { return !this.calls.signal.aborted; }

  // Seconds of the source: of the clip its own, else since the first frame.
  get time() { return this.file ? this.video.currentTime : (performance.now() - this.start) / 1000; }

  async show() {
    if (this.stream) this.video.srcObject = this.stream;
    else this.video.src = this.address = URL.createObjectURL(this.file);
    await this.video.play().catch(() => { throw new Error(`This browser cannot play ${this.file?.name ?? `the ${this.name}`}.`); });
    this.start = performance.now();
    const { videoWidth: width, videoHeight: height } = this.video;
    const scale = Math.min(1, SIDE / Math.max(width, height));
    this.canvas = el("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
  }

  async open() {
    const { id } = await post("v1/streaming/sessions", { fps: 1 / this.interval });
    this.path = `v1/streaming/sessions/${id}`;
    if (!this.on) remove(this.path); // stopped meanwhile
  }

  // Every frame of a session has one size: a source that turns or grows is fitted into the first.
  picture() {
    const { canvas, video } = this;
    const pen = canvas.getContext("2d");
    const scale = Math.min(canvas.width / video.videoWidth, canvas.height / video.videoHeight);
    const [width, height] = [video.videoWidth * scale, video.videoHeight * scale];
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(video, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
    return canvas.toDataURL("image/jpeg", 0.85);
  }

  async run() {
    for (let last = -Infinity; this.on && !this.video.ended;) {
      const wait = last + this.interval - this.time;
      if (wait > 0) await paused(1000 * wait);
      if (!this.on || this.time <= last) continue; // a clip that stands still shows no new frame
      last = this.time;
      await this.send(last, this.picture());
    }
    if (this.on) tell(`${this.told} · the clip has ended; ask about it`);
  }

  async send(time, image) {
    const began = performance.now();
    try {
      const { events } = await post(`${this.path}/frame`, { time, image }, this.calls.signal);
      this.sent += 1;
      this.say(events);
      const left = Math.max(0, Math.floor(time / this.interval + 0.5) + 1 - this.sent);
      this.told = `${clock(time)} · ${plural(this.sent, "frame")} · ${number(left)} left out · ${number(performance.now() - began)} ms each`;
      tell(this.told);
    } catch (error) {
      if (!this.on) return;
      if (!PASSING.includes(error.status)) throw error;
      tell(`${error.message} It is tried again.`, true);
      await paused(PAUSE);
      await get(`${this.path}?after=${this.event}`).then((state) => this.say(state.events), () => {}); // told while it was cut off
    }
  }

  say(events) {
    for (const { id, kind, query, span } of events.filter((event) => event.id > this.event)) {
      this.event = id;
      if (kind === "started") log(clock(span.start), `began: ${query}`, "event");
      else log(spanned(span), `was: ${query}`, "event");
    }
  }

  async ask(words) {
    const about = find("live-about").value;
    const { maxTokens, temperature } = options();
    const body = { ...(about === "when" ? { query: words } : { question: words }), ...(about === "now" ? { seconds: 0 } : {}), ...(maxTokens ? { max_tokens: maxTokens } : {}), ...(temperature ? { temperature } : {}) };
    const line = log(clock(this.time), words, "mine");
    const { text, spans } = await post(`${this.path}/ask`, body, this.calls.signal);
    log("", spans ? spans.map(spanned).join(", ") || "Not seen." : text, "", line);
  }

  async watch(words) {
    const { queries } = await post(`${this.path}/watch`, { query: words }, this.calls.signal);
    find("live-queries").textContent = `Tells when: ${queries.join("; ")}`;
  }

  end() {
    if (!this.on) return;
    this.calls.abort();
    if (this.path) remove(this.path);
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.video.srcObject = null;
    this.video.removeAttribute("src");
    URL.revokeObjectURL(this.address);
  }
}

let live = null;

function running(on) {
  for (const part of document.querySelectorAll("#live [data-when]")) part.hidden = (part.dataset.when === "on") !== on;
  find("live-view").hidden = !on && !find("live-log").hasChildNodes(); // what was told stays
}

function stop(text, failed = false) {
  live?.end();
  live = null;
  running(false);
  tell(text, failed);
}

async function start(source) {
  find("live-log").replaceChildren();
  find("live-queries").textContent = "";
  stop("");
  if (!find("live").open) return source.stream?.getTracks().forEach((track) => track.stop()); // allowed too late
  const mine = live = new Live(source, Number(find("live-rate").value));
  try {
    running(true);
    await mine.show();
    await mine.open();
    await mine.run();
  } catch (error) {
    if (mine === live) stop(error.message, true);
  }
  return undefined;
}

// What was typed goes to a job of the session; a refusal is told, and the stream goes on.
async function typed(job) {
  const box = find("live-words");
  const words = box.value.trim();
  if (!words || !live?.path) return box.focus();
  box.value = "";
  return live[job](words).catch((error) => { if (error.name !== "AbortError") log("", error.message, "failure"); });
}

export function buildLive() {
  find("open-live").addEventListener("click", () => find("live").showModal());
  for (const name of ["camera", "screen"]) find(`live-${name}`).addEventListener("click", () => media(name).then(start, (error) => tell(error.message, true)));
  find("live-clip").addEventListener("click", () => find("live-file").click());
  find("live-file").addEventListener("change", ({ target }) => { if (target.files[0]) start({ name: "clip", file: target.files[0] }); target.value = ""; });
  find("live-form").addEventListener("submit", (event) => { event.preventDefault(); typed("ask"); });
  find("live-watch").addEventListener("click", () => typed("watch"));
  find("live-stop").addEventListener("click", () => stop("The stream was ended."));
  find("live").addEventListener("close", () => stop(""));
  addEventListener("pagehide", () => stop(""));
}
