"""Ten minutes of a 720p camera at 2 frames a second through a live session with a standing query, on a simulated clock.

    python bench/live_stream.py [--minutes 10] [--model tiny]

Prints, for each minute, what a frame cost (processor time of one thread, patches through the vision tower, tokens read)
and what memory the process has; when each event was told, in frame intervals after the first frame that shows it; and
the same questions beside sending the whole window again for each, to an engine that keeps nothing and to this one.
The answers that decide on events are the truth, put in the place of the model's: what the model costs is measured, and
how well it sees is another question.
"""

import argparse
import io
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Unpack

import torch
from PIL import Image, ImageDraw

from viewfinder.chat.live import LiveEvent, LiveSession
from viewfinder.chat.live_window import WindowSettings
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.engine import Engine
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.media.image import load_image
from viewfinder.messages import ChatModel, ChatOptions, Message, Reply, VideoPart, user
from viewfinder.outputs.grammars import moments_grammar
from viewfinder.outputs.prompts import moments_prompt
from viewfinder.outputs.spans import NONE_SENTENCE, Span, format_moments

FPS = 2.0
EVENTS = tuple((20.3 + 37 * i, 24.9 + 37 * i) for i in range(17))
QUERY = "a red square is there"


def is_on(moment: float) -> bool:
    return any(start <= moment < end for start, end in EVENTS)


def jpeg(moment: float) -> bytes:
    """A 1280x720 frame as a camera sends it: something moves in each, and during an event a red square is there."""
    image = Image.new("RGB", (1280, 720), (90, 120, 90))
    draw = ImageDraw.Draw(image)
    for i in range(12):
        x, y = int(moment * 37 + i * 211) % 1280, int(moment * 11 * (i + 1)) % 720
        draw.ellipse((x, y, x + 60 + 5 * i, y + 60), fill=(20 * i, 255 - 20 * i, 128))
    if is_on(moment):
        draw.rectangle((500, 250, 800, 550), fill="red")
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=85)
    return sink.getvalue()


class TrueAnswers(ChatModel):
    """Another model's work with the right answer in the place of its own."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model

    def stream(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Iterator[str | Reply]:
        reply = self.model.chat(messages, **options)
        times = reply.media[0].frame_times or (0.0,)
        seen = [moment - times[0] for moment in times if is_on(moment)]
        spans = [Span(seen[0], seen[-1])] if seen else []  # a window is shorter than the time between two events
        text = format_moments(spans, times[-1] - times[0] + 1) if spans else NONE_SENTENCE
        yield text
        yield reply.model_copy(update={"text": text})


def serving(engine: Engine, *, keeps: bool) -> AsyncEngine:
    batching = AsyncEngine(engine, EngineConfig(cache_bytes=2**25, enable_prefix_caching=keeps))
    batching.start()
    return batching


def memory() -> float:
    """MiB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--model", default="tiny")
    args = parser.parse_args()
    torch.set_num_threads(1)  # threads that wait for one another count as work
    engine = Engine.from_pretrained(args.model)
    batching = serving(engine, keeps=True)
    session = LiveSession(TrueAnswers(batching.chat_for()), engine.processor, WindowSettings(fps=FPS))
    session.watch(QUERY)
    events, costs = stream(session, batching, args.minutes)
    first, last = costs[1] if len(costs) > 2 else costs[0], costs[-1]
    print(f"a frame of the last minute beside one of the second: {last / first:.3f} of its processor time")
    delays = [delay(event) for event in events if event.kind == "started"]
    print(
        f"{len(delays)} events told {median(delays):g} (at most {max(delays):g}) frames after the first that shows them"
    )
    print(f"spans are off by at most {max(map(error, (e for e in events if e.kind == 'ended'))):.2f} s of {1 / FPS} s")
    beside(session, engine, batching)
    batching.stop()


def stream(session: LiveSession, batching: AsyncEngine, minutes: int) -> tuple[list[LiveEvent], list[float]]:
    """All frames; the events, and the median seconds of processor time of a frame pair in each minute."""
    events: list[LiveEvent] = []
    costs: list[float] = []
    runner = batching.core.runner
    print("minute  CPU ms a frame  patches  tokens read  tokens reused  kept pairs  frames kept MiB  process MiB")
    for minute in range(minutes):
        seconds: list[float] = []
        patches, counts = runner.encoder.num_patches, vars(batching.counters).copy()
        for i in range(0, int(60 * FPS), 2):
            moments = [minute * 60 + (i + k) / FPS for k in (0, 1)]
            frames = [jpeg(moment) for moment in moments]
            begun = time.process_time()
            for frame, moment in zip(frames, moments, strict=True):
                events += session.push(frame, moment)
            seconds.append((time.process_time() - begun) / 2)
        costs.append(median(seconds))
        reused = batching.counters.reused_tokens - counts["reused_tokens"]
        read = batching.counters.prompt_tokens - counts["prompt_tokens"] - reused
        patches = runner.encoder.num_patches - patches
        print(
            f"{minute + 1:6}  {1000 * costs[-1]:14.1f}  {patches:7}  {read:11}  {reused:13}"
            f"  {len(session.window.pairs()):10}  {session.window.num_bytes / 2**20:15.2f}  {memory():11.0f}",
            flush=True,
        )
    return events, costs


def delay(event: LiveEvent) -> float:
    """Frame intervals from the first frame that shows the event to the telling."""
    begin = max(start for start, _ in EVENTS if start <= event.time)
    first = -(-begin * FPS // 1) / FPS
    return (event.time - first) * FPS


def error(event: LiveEvent) -> float:
    begin, end = min(EVENTS, key=lambda one: abs(one[0] - event.span.start))
    return max(abs(event.span.start - begin), abs(event.span.end - end))


def beside(session: LiveSession, engine: Engine, batching: AsyncEngine, rounds: int = 16) -> None:
    """One more frame pair, in turn with sending the frames of the window again."""
    bare = serving(engine, keeps=False)
    now = session.window.last_time or 0.0
    sent: list[tuple[bytes, float]] = [
        (jpeg(moment), moment) for pair in session.window.window for moment in pair.times
    ]
    taken: dict[str, list[float]] = {"live": [], "again, nothing kept": [], "again, to this engine": []}
    for round_ in range(rounds):
        new = [(jpeg(moment), moment) for moment in (now + (2 * round_ + 1) / FPS, now + (2 * round_ + 2) / FPS)]
        sent = [*sent[2:], *new]
        begun = time.process_time()
        for frame, moment in new:
            session.push(frame, moment)
        taken["live"].append(time.process_time() - begun)
        for name, other in (("again, nothing kept", bare), ("again, to this engine", batching)):
            begun = time.process_time()
            resend(other, sent)
            taken[name].append(time.process_time() - begun)
    base = median(taken["live"])
    print(f"a frame pair, {len(session.window.window)} pairs in the window: {1000 * base:.0f} ms of processor time")
    for name, seconds in taken.items():
        print(f"  {name}: {median(seconds) / base:.2f} times that")
    bare.stop()


def resend(batching: AsyncEngine, sent: Sequence[tuple[bytes, float]]) -> None:
    """The window as a client without a session sends it: every frame decoded and looked at again."""
    first = sent[0][1]
    part: dict[str, Any] = {
        "video": [load_image(frame).image for frame, _ in sent],
        "frame_times": tuple(moment - first for _, moment in sent),
    }
    question = moments_prompt(QUERY)
    message = user(VideoPart(**part), question)
    batching.chat_for().chat([message], grammar=moments_grammar(sent[-1][1] - first + 1 / FPS))


if __name__ == "__main__":
    main()
