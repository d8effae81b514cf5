"""`/v1/chat/completions`: a request to engine tickets, and their events to OpenAI's answers, whole or streamed."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from viewfinder.engine.async_engine import AsyncEngine, Event, Ticket
from viewfinder.engine.request import Delta, EngineRequest
from viewfinder.engine.sampler import Constraint, Token
from viewfinder.errors import LimitError
from viewfinder.media.transform import Transform
from viewfinder.messages import MediaInfo, Reply, Sampling, parse_messages
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.points import parse_points
from viewfinder.outputs.spans import parse_spans
from viewfinder.outputs.tool_calls import OPENING, split_tool_calls, tool_call_grammar
from viewfinder.processor.processor import Processor
from viewfinder.serve.protocol import ChatRequest, NamedTool, to_plain_messages
from viewfinder.serve.request_media import RequestMedia

_FINISH = {"stop": "stop", "length": "length", "loop": "length", "cancelled": "stop"}


@dataclass
class Choice:
    """One of the n answers while it is made."""

    index: int
    ticket: Ticket
    deltas: list[Delta] = field(default_factory=list)
    reply: Reply | None = None


class Completion:
    """One request under way. `begin` in a worker thread, then `whole` or `chunks` in the event loop."""

    def __init__(self, request: ChatRequest, engine: AsyncEngine, request_media: RequestMedia, tenant: str) -> None:
        self.request, self.engine, self.tenant = request, engine, tenant
        self.request_media = request_media.for_tenant(tenant)
        self.id = f"chatcmpl-{uuid.uuid4().hex}"
        self.created = int(time.time())
        self.choices: list[Choice] = []
        self._queue: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
        self._tools = [tool.model_dump(exclude_none=True) for tool in request.tools or ()]
        if request.tool_choice == "none":
            self._tools = []

    def begin(self, loop: asyncio.AbstractEventLoop, max_choices: int) -> None:
        """Fetch, decode, prepare and queue; any error is the request's.

        Raises:
            ViewfinderError: see `viewfinder.serve.errors` for what becomes of each.
        """
        request = self.request
        if request.n > max_choices:
            raise LimitError(
                f"n is {request.n}, over the {max_choices} answers allowed to one request; ask again instead"
            )
        chat = self.engine.chat_for(self.tenant, self._processor())
        messages = parse_messages(to_plain_messages(request.messages))
        if request.mm_processor_kwargs is not None:
            messages = request.mm_processor_kwargs.fill(messages)
        safe = self.request_media.resolve(messages, chat.processor.settings)
        prepared = chat.processor.prepare(safe, tools=self._tools)
        sampling = self._sampling()
        for i in range(request.n):
            seed = None if sampling.seed is None else sampling.seed + i
            asked = EngineRequest(
                prepared,
                sampling.model_copy(update={"seed": seed}),
                self._constraint(),
                self.tenant,
                request.top_logprobs or 0,
            )
            try:
                self.choices.append(Choice(i, self.engine.submit(asked, self._listener(loop, i))))
            except Exception:
                self.cancel()
                raise

    def cancel(self) -> None:
        self.request_media.call_off()
        for choice in self.choices:
            choice.ticket.cancel()

    async def whole(self) -> dict[str, Any]:
        """The answer when all choices are done."""
        async for _ in self._events():
            pass
        choices = [self._choice(choice) for choice in self.choices]
        return {**self._head("chat.completion"), "choices": choices, "usage": self._usage(), "viewfinder": self._seen()}

    async def chunks(self) -> AsyncIterator[dict[str, Any]]:
        """The chunks of a streamed answer."""
        for choice in self.choices:
            yield self._chunk(choice.index, {"role": "assistant", "content": ""})
        held = {choice.index: ToolHold(bool(self._tools) or self._forced) for choice in self.choices}
        async for choice, event in self._events():
            if isinstance(event, Delta):
                text = held[choice.index].push(event.text)
                if text or self.request.logprobs:
                    logprobs = {"content": [self._token(event)]} if self.request.logprobs else None
                    yield self._chunk(choice.index, {"content": text}, logprobs=logprobs)
                continue
            _, calls = self._split(event)
            rest = "" if calls else held[choice.index].rest()
            if rest:
                yield self._chunk(choice.index, {"content": rest})
            for i, call in enumerate(calls):
                yield self._chunk(choice.index, {"tool_calls": [{"index": i, **call}]})
            yield self._chunk(choice.index, {}, finish=self._finish(event, calls))
        if self.request.stream_options is not None and self.request.stream_options.include_usage:
            yield {**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage()}

    @property
    def _forced(self) -> bool:
        return self.request.tool_choice == "required" or isinstance(self.request.tool_choice, NamedTool)

    def _processor(self) -> Processor:
        request, own = self.request, self.engine.engine.processor
        most = self.request_media.context * own.settings.factor**2
        if request.min_pixels is not None and request.min_pixels > most:
            raise LimitError(f"min_pixels is {request.min_pixels:,}, over the {most:,} that the model takes; lower it")
        if request.min_pixels is None and request.max_pixels is None:
            return own
        high = min(request.max_pixels or max(own.settings.max_pixels, request.min_pixels or 0), most)
        low = min(request.min_pixels or own.settings.min_pixels, high)
        return Processor(own.tokenizer, own.settings.with_(min_pixels=low, max_pixels=high))

    def _sampling(self) -> Sampling:
        request = self.request
        given = {
            "max_new_tokens": request.max_completion_tokens or request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "top_k": request.top_k,
            "repetition_penalty": request.repetition_penalty,
            "seed": request.seed,
            "stop": (request.stop,) if isinstance(request.stop, str) else request.stop,
        }
        known = {name: value for name, value in given.items() if value is not None}
        return Sampling(**{**self.engine.engine.sampling.model_dump(), **known})

    def _constraint(self) -> Constraint | None:
        request = self.request
        if self._forced:
            wanted = request.tool_choice.function.name if isinstance(request.tool_choice, NamedTool) else None
            tools = [tool for tool in self._tools if wanted in (None, tool["function"]["name"])]
            return self.engine.engine.constraint(None, tool_call_grammar(tools, thought=False))
        schema = request.response_format.schema_for_engine if request.response_format else None
        return self.engine.engine.constraint(schema, request.grammar)

    def _listener(self, loop: asyncio.AbstractEventLoop, index: int) -> Callable[[Event], None]:
        def listen(event: Event) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._queue.put_nowait, (index, event))

        return listen

    async def _events(self) -> AsyncIterator[tuple[Choice, Delta | Reply]]:
        left = len(self.choices)
        while left:
            index, event = await self._queue.get()
            if isinstance(event, Exception):
                self.cancel()
                raise event
            choice = self.choices[index]
            if isinstance(event, Reply):
                choice.reply = event
                left -= 1
            else:
                choice.deltas.append(event)
            yield choice, event

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.request.model}

    def _chunk(
        self, index: int, delta: dict[str, Any], *, finish: str | None = None, logprobs: Any = None
    ) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        chunk = {**self._head("chat.completion.chunk"), "choices": [choice]}
        return chunk if finish is None else {**chunk, "viewfinder": self._seen(only=index)}

    def _choice(self, choice: Choice) -> dict[str, Any]:
        assert choice.reply is not None
        words, calls = self._split(choice.reply)
        message: dict[str, Any] = {"role": "assistant", "content": words or None if calls else words}
        if calls:
            message["tool_calls"] = calls
        logprobs = {"content": [self._token(delta) for delta in choice.deltas]} if self.request.logprobs else None
        return {
            "index": choice.index,
            "message": message,
            "finish_reason": self._finish(choice.reply, calls),
            "logprobs": logprobs,
        }

    def _split(self, reply: Reply) -> tuple[str, list[dict[str, Any]]]:
        """The words, and calls to tools that exist, in OpenAI's form."""
        if not self._tools:
            return reply.text, []
        words, calls = split_tool_calls(reply.text)
        names = {tool["function"]["name"] for tool in self._tools}
        known = [call for call in calls if call.name in names]
        if self.request.parallel_tool_calls is False:
            known = known[:1]
        if not known:
            return reply.text, []
        return words, [
            {
                "id": f"call_{uuid.uuid4().hex[:24]}",
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
            }
            for call in known
        ]

    def _finish(self, reply: Reply, calls: Sequence[Any]) -> str:
        return "tool_calls" if calls else _FINISH[reply.finish_reason]

    def _token(self, delta: Delta) -> dict[str, Any]:
        return {**self._named(delta.token.id, delta.token.logprob, delta.piece), "top_logprobs": self._top(delta.token)}

    def _top(self, token: Token) -> list[dict[str, Any]]:
        tokenizer = self.engine.engine.processor.tokenizer
        return [self._named(i, logprob, tokenizer.decode([i], skip_special=False)) for i, logprob in token.top]

    def _named(self, token_id: int, logprob: float, text: str) -> dict[str, Any]:
        spelt = self.engine.engine.processor.tokenizer.token_bytes(token_id)
        return {"token": text, "logprob": max(logprob, -9999.0), "bytes": list(spelt)}

    def _usage(self) -> dict[str, Any]:
        replies = [choice.reply for choice in self.choices if choice.reply is not None]
        prompt = replies[0].usage.prompt_tokens
        answer = sum(reply.usage.completion_tokens for reply in replies)
        return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}

    def _seen(self, only: int | None = None) -> dict[str, Any]:
        """What the model saw, the stamp, and, where asked for, the places named in pixels of the originals."""
        replies = [c.reply for c in self.choices if c.reply is not None and only in (None, c.index)]
        seen: dict[str, Any] = {
            **described(replies[0].media, replies[0].stamp),
            "media_tokens": replies[0].usage.media_tokens,
            "finish_reasons": [reply.finish_reason for reply in replies],
            "coordinates": self.request.coordinates,
        }
        if self.request.coordinates == "original":
            seen["places"] = [places(reply) for reply in replies]
        return seen


class ToolHold:
    """Keeps back text that is or may become a tool call, as streamed text cannot be taken back."""

    def __init__(self, has_tools: bool) -> None:
        self._has_tools = has_tools
        self._held = ""
        self._inside = False

    def push(self, text: str) -> str:
        """What may be shown now."""
        if not self._has_tools:
            return text
        self._held += text
        if self._inside:
            return ""
        at = self._held.find(OPENING)
        self._inside = at >= 0
        if at < 0:
            ends = range(min(len(OPENING) - 1, len(self._held)), 0, -1)
            size = next((n for n in ends if self._held.endswith(OPENING[:n])), 0)
            at = len(self._held) - size
        shown, self._held = self._held[:at], self._held[at:]
        return shown

    def rest(self) -> str:
        """What was kept back and turned out to be text."""
        held, self._held = self._held, ""
        return held


def described(media: Sequence[MediaInfo], stamp: str) -> dict[str, Any]:
    """What every answer of this server says about what the model saw."""
    return {"stamp": stamp, "media": [info.model_dump(exclude_none=True, mode="json") for info in media]}


def places(reply: Reply) -> dict[str, Any]:
    """Boxes and points of an answer in pixels of the original picture, spans in seconds of the original clip.

    An answer does not say which picture it means: of several, the first is taken.
    """
    result: dict[str, Any] = {"boxes": [], "points": [], "spans": []}
    clip = next((info for info in reply.media if info.kind == "video"), None)
    picture = next((info for info in reply.media if info.kind == "image"), None)
    if picture is not None:
        transform = Transform.from_dict(picture.transform)
        result["boxes"] = [box.to_dict() for box in parse_boxes(reply.text, transform)]
        result["points"] = [point.to_dict() for point in parse_points(reply.text, transform)]
    elif clip is not None and clip.duration is not None:
        result["spans"] = [span.to_dict() for span in parse_spans(reply.text, clip.duration)]
    return result
