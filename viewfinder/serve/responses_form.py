"""A chat answer in the form of OpenAI's Responses API: the response object, and its typed events in their order.

    response.created, response.in_progress,
      response.output_item.added, response.content_part.added, response.output_text.delta ...,
      response.output_text.done, response.content_part.done, response.output_item.done,        (the words)
      response.output_item.added, response.function_call_arguments.delta ..., .done,
      response.output_item.done,                                                              (each call)
    response.completed | response.incomplete | response.failed

Official clients put a response together from these: a delta whose item or part was not added first fails in them.
"""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

from viewfinder.serve.answering import Chunks, sse
from viewfinder.serve.completions import Completion
from viewfinder.serve.responses import ResponsesRequest

_CUT = {"reason": "max_output_tokens"}


class ResponsesForm:
    """One response."""

    def __init__(self, request: ResponsesRequest) -> None:
        self.request = request
        self.id = f"resp_{uuid.uuid4().hex}"
        self.number = -1
        self.output: list[dict[str, Any]] = []
        self.started: dict[str, Any] = {}
        self._calls: dict[int, dict[str, Any]] = {}

    def whole(self, completion: Completion, answer: dict[str, Any]) -> dict[str, Any]:
        (choice,) = answer["choices"]
        message, cut = choice["message"], choice["finish_reason"] == "length"
        output: list[dict[str, Any]] = []
        calls = message.get("tool_calls") or []
        if message["content"] or not calls:
            logprobs = (choice["logprobs"] or {}).get("content") or []
            output.append(_message(_id("msg"), message["content"] or "", logprobs, _status(cut)))
        for call in calls:
            output.append(_call(_id("fc"), call["id"], call["function"], _status(cut and call is calls[-1])))
        return {
            **self._response(completion, _status(cut), output, answer["usage"], cut),
            "viewfinder": answer["viewfinder"],
        }

    async def events(self, completion: Completion, chunks: Chunks) -> AsyncIterator[str]:
        self.started = self._response(completion, "in_progress", [], None, False)
        yield self._event("response.created", response=self.started)
        yield self._event("response.in_progress", response=self.started)
        usage, cut, seen = None, False, None
        async for chunk in chunks:
            usage, seen = chunk.get("usage") or usage, chunk.get("viewfinder") or seen
            for choice in chunk["choices"]:
                for text in self._delta(choice["delta"], (choice["logprobs"] or {}).get("content") or []):
                    yield text
                cut = cut or choice["finish_reason"] == "length"
        if not self.output:
            for text in self._open_message():
                yield text
        for text in self._close(cut):
            yield text
        response = self._response(completion, _status(cut), self.output, usage, cut)
        yield self._event(f"response.{_status(cut)}", response={**response, "viewfinder": seen})

    def failure(self, body: dict[str, Any]) -> str:
        error = {"code": "server_error", "message": body["error"]["message"]}
        return self._event("response.failed", response={**self.started, "status": "failed", "error": error})

    def _delta(self, delta: dict[str, Any], logprobs: list[dict[str, Any]]) -> Iterator[str]:
        if delta.get("content") or logprobs:  # a token may have no text of its own
            if not self.output or self.output[-1]["type"] != "message":
                yield from self._open_message()
            item = self.output[-1]
            item["content"][0]["text"] += delta.get("content") or ""
            item["content"][0]["logprobs"] += logprobs
            where = {"item_id": item["id"], "content_index": 0}
            shown = {"delta": delta.get("content") or "", "logprobs": logprobs}
            yield self._at_last("response.output_text.delta", **shown, **where)
        for part in delta.get("tool_calls") or ():
            if part["index"] not in self._calls:
                yield from self._close(False)
                item = _call(_id("fc"), part["id"], {**part["function"], "arguments": ""}, "in_progress")
                self._calls[part["index"]] = item
                self.output.append(item)
                yield self._at_last("response.output_item.added", item=item)
            item = self._calls[part["index"]]
            more = part["function"].get("arguments") or ""
            if more:
                item["arguments"] += more
                yield self._at_last("response.function_call_arguments.delta", item_id=item["id"], delta=more)

    def _open_message(self) -> Iterator[str]:
        yield from self._close(False)
        item = _message(_id("msg"), "", [], "in_progress")
        self.output.append(item)
        yield self._at_last("response.output_item.added", item={**item, "content": []})
        part = {**item["content"][0], "logprobs": []}
        yield self._at_last("response.content_part.added", item_id=item["id"], content_index=0, part=part)

    def _close(self, cut: bool) -> Iterator[str]:
        """End the item that is being written, if any."""
        if not self.output or self.output[-1]["status"] != "in_progress":
            return
        item = self.output[-1]
        item["status"] = _status(cut)
        if item["type"] == "message":
            (part,), where = item["content"], {"item_id": item["id"], "content_index": 0}
            yield self._at_last("response.output_text.done", text=part["text"], logprobs=part["logprobs"], **where)
            yield self._at_last("response.content_part.done", part=part, **where)
        else:
            named = {key: item[key] for key in ("arguments", "name")}
            yield self._at_last("response.function_call_arguments.done", item_id=item["id"], **named)
        yield self._at_last("response.output_item.done", item=item)

    def _at_last(self, kind: str, **fields: Any) -> str:
        return self._event(kind, output_index=len(self.output) - 1, **fields)

    def _event(self, kind: str, **fields: Any) -> str:
        self.number += 1
        return sse({"type": kind, "sequence_number": self.number, **fields}, kind)

    def _response(
        self, completion: Completion, status: str, output: list[dict[str, Any]], usage: dict[str, Any] | None, cut: bool
    ) -> dict[str, Any]:
        """The response object; what the client said is said again, as clients read it from here."""
        request, sampling = self.request, completion.sampling
        choice = request.tool_choice
        return {
            "id": self.id,
            "object": "response",
            "created_at": completion.created,
            "status": status,
            "error": None,
            "incomplete_details": _CUT if cut else None,
            "instructions": request.instructions,
            "model": request.model,
            "output": output,
            "usage": None if usage is None else _usage(usage),
            "max_output_tokens": request.max_output_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_logprobs": request.top_logprobs or 0,
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "tools": [tool.model_dump(exclude={"defer_loading"}) for tool in request.tools],
            "tool_choice": choice if isinstance(choice, str) else choice.model_dump(exclude_none=True),
            "text": {"format": request.text.format.model_dump(by_alias=True, exclude_none=True)},
            "reasoning": {"effort": None, "summary": None},
            "metadata": request.metadata or {},
            "truncation": "disabled",
            "service_tier": "default",
            "store": False,
            "background": False,
            "previous_response_id": None,
            "user": request.user,
        }


def _id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"


def _status(cut: bool) -> str:
    return "incomplete" if cut else "completed"


def _message(item_id: str, text: str, logprobs: list[dict[str, Any]], status: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": list(logprobs)}
    return {"id": item_id, "type": "message", "role": "assistant", "status": status, "content": [part]}


def _call(item_id: str, call_id: str, function: dict[str, Any], status: str) -> dict[str, Any]:
    named = {"name": function["name"], "arguments": function["arguments"]}
    return {"id": item_id, "type": "function_call", "call_id": call_id, "status": status, **named}


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }
