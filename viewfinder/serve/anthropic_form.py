"""A chat answer in the form of Anthropic's Messages API, whole and as its events, and its error envelope.

message_start, (content_block_start, content_block_delta ..., content_block_stop) for words and for each call,
message_delta, message_stop
"""

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from viewfinder.messages import Reply
from viewfinder.serve.answering import Chunks, sse
from viewfinder.serve.completions import Completion

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class AnthropicForm:
    """One message."""

    def __init__(self, model: str, stops: Sequence[str]) -> None:
        self.model, self.stops = model, stops
        self.id = f"msg_{uuid.uuid4().hex}"
        self._index = -1
        self._open: str | int | None = None  # "text", or the index of the call that is being written

    def whole(self, completion: Completion, answer: dict[str, Any]) -> dict[str, Any]:
        (choice,) = answer["choices"]
        message = choice["message"]
        content: list[dict[str, Any]] = []
        if message["content"]:
            content.append({"type": "text", "text": message["content"]})
        for call in message.get("tool_calls") or ():
            arguments = _arguments(call["function"]["arguments"])
            content.append({"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": arguments})
        ended = self._ended(completion, choice["finish_reason"])
        usage = _usage(answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"])
        return {**self._message(content, usage), **ended, "viewfinder": answer["viewfinder"]}

    async def events(self, completion: Completion, chunks: Chunks) -> AsyncIterator[str]:
        yield _event("message_start", message=self._message([], _usage(completion.prompt_tokens, 0)))
        finish, seen, usage = "stop", None, _usage(completion.prompt_tokens, 0)
        async for chunk in chunks:
            seen = chunk.get("viewfinder") or seen
            if chunk.get("usage"):
                usage = _usage(chunk["usage"]["prompt_tokens"], chunk["usage"]["completion_tokens"])
            for choice in chunk["choices"]:
                for text in self._delta(choice["delta"]):
                    yield text
                finish = choice["finish_reason"] or finish
        for text in self._close():
            yield text
        yield _event("message_delta", delta=self._ended(completion, finish), usage=usage, viewfinder=seen)
        yield _event("message_stop")

    def failure(self, body: dict[str, Any]) -> str:
        return _event("error", error={"type": "api_error", "message": body["error"]["message"]})

    def _delta(self, delta: dict[str, Any]) -> Iterator[str]:
        if delta.get("content"):
            if self._open != "text":
                yield from self._start("text", {"type": "text", "text": ""})
            yield self._piece({"type": "text_delta", "text": delta["content"]})
        for part in delta.get("tool_calls") or ():
            if self._open != part["index"]:
                named = {"id": part["id"], "name": part["function"]["name"]}
                yield from self._start(part["index"], {"type": "tool_use", **named, "input": {}})
            if part["function"].get("arguments"):
                yield self._piece({"type": "input_json_delta", "partial_json": part["function"]["arguments"]})

    def _start(self, what: str | int, block: dict[str, Any]) -> Iterator[str]:
        yield from self._close()
        self._open, self._index = what, self._index + 1
        yield _event("content_block_start", index=self._index, content_block=block)

    def _piece(self, delta: dict[str, Any]) -> str:
        return _event("content_block_delta", index=self._index, delta=delta)

    def _close(self) -> Iterator[str]:
        if self._open is not None:
            yield _event("content_block_stop", index=self._index)
        self._open = None

    def _message(self, content: list[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
        head = {"id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content}
        return {**head, "stop_reason": None, "stop_sequence": None, "usage": usage}

    def _ended(self, completion: Completion, finish: str) -> dict[str, Any]:
        reply = completion.choices[0].reply
        stop = None if reply is None or finish != "stop" else stop_of(reply, self.stops)
        if stop is not None:
            return {"stop_reason": "stop_sequence", "stop_sequence": stop}
        reason = {"length": "max_tokens", "tool_calls": "tool_use"}.get(finish, "end_turn")
        return {"stop_reason": reason, "stop_sequence": None}


def stop_of(reply: Reply, stops: Sequence[str]) -> str | None:
    """The stop string that ended an answer: it stands in the tokens where the text ends."""
    rest = "".join(reply.token_texts)[len(reply.text) :]
    return next((stop for stop in sorted(stops, key=len, reverse=True) if stop and rest.startswith(stop)), None)


def _event(kind: str, **fields: Any) -> str:
    return sse({"type": kind, **fields}, kind)


def _arguments(text: str) -> dict[str, Any]:
    """Arguments of a call as an object; a call that was cut has none, as `stop_reason` says."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _usage(read: int, written: int) -> dict[str, Any]:
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {"input_tokens": read, "output_tokens": written, **cached}


class AnthropicErrors:
    """Writes errors under `/v1/messages` in Anthropic's envelope, whoever refused the request."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/messages"):
            await self._app(scope, receive, send)
            return
        start: dict[str, Any] | None = None

        async def translated(message: Any) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] >= 400:
                start = message
                return
            if start is None:
                await send(message)
                return
            body = _envelope(message.get("body", b""), start["status"])
            kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            await send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
            await send({**message, "body": body})
            start = None

        await self._app(scope, receive, translated)


def _envelope(body: bytes, status: int) -> bytes:
    """`b'{"error": {"message": "no", ...}}'`, 404 -> `b'{"type": "error", "error": {"type": "not_found_error", ...'`"""
    try:
        said = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return body
    kind = _ERRORS.get(status, "invalid_request_error" if status < 500 else "api_error")
    return json.dumps({"type": "error", "error": {**said, "type": kind}}).encode()
