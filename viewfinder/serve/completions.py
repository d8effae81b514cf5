"""`/v1/chat/completions`: a request to engine tickets, and their events to OpenAI's answers, whole or streamed."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.request import Delta, EngineRequest
from viewfinder.engine.sampler import Constraint, Token
from viewfinder.engine.ticket import Event, Ticket
from viewfinder.errors import LimitError
from viewfinder.message_parsing import parse_messages
from viewfinder.messages import Reply, Sampling
from viewfinder.outputs.tool_calls import split_tool_calls, tool_call_grammar
from viewfinder.processor.processor import Prepared, Processor
from viewfinder.serve.mailbox import Mailbox
from viewfinder.serve.protocol import ChatRequest, NamedTool, to_plain_messages
from viewfinder.serve.request_media import RequestMedia
from viewfinder.serve.seen import described, places
from viewfinder.serve.tool_stream import CallStart, Piece, ToolReader

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
        self.prompt_tokens = 0
        self.choices: list[Choice] = []
        self._queue: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
        self._tools = [tool.model_dump(exclude_none=True) for tool in request.tools or ()]
        if request.tool_choice == "none":
            self._tools = []

    def begin(self, mailbox: Mailbox, max_choices: int) -> None:
        """Fetch, decode, prepare and queue; any error is the request's.

        Raises:
            ViewfinderError: see `viewfinder.serve.errors` for what becomes of each.
        """
        request = self.request
        if request.n > max_choices:
            raise LimitError(
                f"n is {request.n}, over the {max_choices} answers allowed to one request; ask again instead"
            )
        prompts = self.prompts()
        self.prompt_tokens = sum(len(prepared.inputs.input_ids) for prepared in prompts)
        sampling = self.sampling
        constraint = self.engine.compile_queue.run(self.tenant, self._constraint) if self._is_bound else None
        for i, (prepared, copy) in enumerate(product(prompts, range(request.n))):
            seed = None if sampling.seed is None else sampling.seed + copy
            asked = EngineRequest(
                prepared,
                sampling.model_copy(update={"seed": seed}),
                None if constraint is None else constraint.copy(),
                self.tenant,
                request.top_logprobs or 0,
            )
            try:
                self.choices.append(Choice(i, self.engine.submit(asked, partial(self._listen, mailbox, i))))
            except Exception:
                self.cancel()
                raise

    def prompts(self) -> list[Prepared]:
        """What is answered `n` times each: the conversation."""
        return [self.prepare()]

    def prepare(self) -> Prepared:
        """What the model is given: media fetched and decoded, the conversation in tokens."""
        request = self.request
        chat = self.engine.chat_for(self.tenant, self._processor())
        messages = parse_messages(to_plain_messages(request.messages))
        if request.mm_processor_kwargs is not None:
            messages = request.mm_processor_kwargs.fill(messages)
        safe = self.request_media.resolve(messages, chat.processor.settings)
        return chat.processor.prepare(safe, tools=self._tools)

    def cancel(self) -> None:
        self.request_media.call_off()
        for choice in self.choices:
            choice.ticket.cancel()

    async def whole(self) -> dict[str, Any]:
        """The answer when all choices are done."""
        async for _ in self._events():
            pass
        return await asyncio.to_thread(self._answer)

    def _answer(self) -> dict[str, Any]:
        """The body; reads the words of the answer, so it is no work for the event loop."""
        choices = [self._choice(choice) for choice in self.choices]
        return {**self._head("chat.completion"), "choices": choices, "usage": self.usage(), "viewfinder": self._seen()}

    async def chunks(self) -> AsyncIterator[dict[str, Any]]:
        """The chunks of a streamed answer."""
        options = self.request.stream_options
        for choice in self.choices:
            yield self._chunk(choice, {"role": "assistant", "content": ""})
        readers = {choice.index: self._reader() for choice in self.choices}
        async for choice, event in self._events():
            reader = readers[choice.index]
            if isinstance(event, Delta):
                pieces = reader.push(event.text)
            else:
                pieces = await asyncio.to_thread(list, reader.finish(_is_cut(event)))
            deltas = [self._delta(piece, reader) for piece in pieces]
            logprobs = None
            if self.request.logprobs and isinstance(event, Delta):
                logprobs, deltas = {"content": [self._token(event)]}, deltas or [{"content": ""}]
            for delta in deltas:
                yield self._chunk(choice, delta, logprobs=logprobs)
                logprobs = None
            if isinstance(event, Reply):
                yield await asyncio.to_thread(self._chunk, choice, {}, finish=_finish(event, reader))
        if options is not None and options.include_usage:
            yield {**self._head("chat.completion.chunk"), "choices": [], "usage": self.usage()}

    def _reader(self) -> ToolReader:
        names = {tool["function"]["name"] for tool in self._tools}
        return ToolReader(names, 1 if self.request.parallel_tool_calls is False else None)

    def _delta(self, piece: Piece, reader: ToolReader) -> dict[str, Any]:
        if isinstance(piece, str):
            return {"content": piece}
        call: dict[str, Any] = {"index": reader.num_calls - 1}
        if isinstance(piece, CallStart):
            function = {"name": piece.name, "arguments": ""}
            call |= {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}
        else:
            call["function"] = {"arguments": piece.text}
        return {"tool_calls": [call]}

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

    @property
    def sampling(self) -> Sampling:
        """How tokens are chosen: the request's wishes over the model's own."""
        return self.request.sampling_over(self.engine.engine.sampling)

    @property
    def _is_bound(self) -> bool:
        return bool(self.request.is_forced or self.request.num_structures)

    def _constraint(self) -> Constraint | None:
        request = self.request
        if request.is_forced:
            wanted = request.tool_choice.function.name if isinstance(request.tool_choice, NamedTool) else None
            tools = [tool for tool in self._tools if wanted in (None, tool["function"]["name"])]
            return self.engine.engine.constraint(None, tool_call_grammar(tools, thought=False))
        structures = request.structures
        return structures[0].compile(self.engine.engine.grammars) if structures else None

    def _listen(self, mailbox: Mailbox, index: int, event: Event) -> None:
        mailbox.put(self._queue, (index, event))

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
        self, choice: Choice, delta: dict[str, Any], *, finish: str | None = None, logprobs: Any = None
    ) -> dict[str, Any]:
        said = {"index": choice.index, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        chunk = {**self._head("chat.completion.chunk"), "choices": [said]}
        options = self.request.stream_options
        if options is not None and options.continuous_usage_stats:
            chunk["usage"] = self.usage()
        return chunk if finish is None else {**chunk, "viewfinder": self._seen(only=choice.index)}

    def _choice(self, choice: Choice) -> dict[str, Any]:
        assert choice.reply is not None
        reader = self._reader()
        words, calls = "", list[dict[str, Any]]()
        for piece in [*reader.push(choice.reply.text), *reader.finish(_is_cut(choice.reply))]:
            if isinstance(piece, str):
                words += piece
            elif isinstance(piece, CallStart):
                function = {"name": piece.name, "arguments": ""}
                calls.append({"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function})
            else:
                calls[-1]["function"]["arguments"] += piece.text
        if calls:
            words = split_tool_calls(words)[0]
        message: dict[str, Any] = {"role": "assistant", "content": words or None if calls else words}
        if calls:
            message["tool_calls"] = calls
        logprobs = {"content": [self._token(delta) for delta in choice.deltas]} if self.request.logprobs else None
        return {
            "index": choice.index,
            "message": message,
            "finish_reason": _finish(choice.reply, reader),
            "logprobs": logprobs,
        }

    def _token(self, delta: Delta) -> dict[str, Any]:
        return {**self._named(delta.token.id, delta.token.logprob, delta.piece), "top_logprobs": self._top(delta.token)}

    def _top(self, token: Token) -> list[dict[str, Any]]:
        tokenizer = self.engine.engine.processor.tokenizer
        return [self._named(i, logprob, tokenizer.decode([i], skip_special=False)) for i, logprob in token.top]

    def _named(self, token_id: int, logprob: float, text: str) -> dict[str, Any]:
        spelt = self.engine.engine.processor.tokenizer.token_bytes(token_id)
        return {"token": text, "logprob": max(logprob, -9999.0), "bytes": list(spelt)}

    @property
    def replies(self) -> list[Reply]:
        """Of the choices that are done."""
        return [choice.reply for choice in self.choices if choice.reply is not None]

    def usage(self) -> dict[str, Any]:
        """Tokens, in OpenAI's words."""
        prompt, answer = self.prompt_tokens, sum(reply.usage.completion_tokens for reply in self.replies)
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
        if self.request.model_extra:
            seen["ignored"] = sorted(self.request.model_extra)
        if self.request.coordinates == "original":
            seen["places"] = [places(reply) for reply in replies]
        return seen


def _is_cut(reply: Reply) -> bool:
    return _FINISH[reply.finish_reason] == "length"


def _finish(reply: Reply, reader: ToolReader) -> str:
    """A call that was cut is no complete call."""
    if reader.num_calls and not (reader.is_open and _is_cut(reply)):
        return "tool_calls"
    return _FINISH[reply.finish_reason]
