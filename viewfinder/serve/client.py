"""A `ChatModel` over any OpenAI-compatible server: ours, vLLM, SGLang and the like.

Media are read, sampled and resized here, by the official arithmetic (or by our server's own settings, which it
tells), and sent at just the size that the model will see. So whoever serves the model, places and times come
back in pixels and seconds of the original. Needs no torch of its own and no official client.
"""

import base64
import io
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Literal, Unpack

from PIL import Image
from pydantic import ValidationError

from viewfinder.media.digest import digest
from viewfinder.media.source import DEFAULT_LIMITS
from viewfinder.messages import (
    ChatModel,
    ChatOptions,
    ImagePart,
    Message,
    Reply,
    Sampling,
    TextPart,
    ToolCall,
    Usage,
    VideoPart,
)
from viewfinder.outputs.tool_calls import OPENING, format_tool_call
from viewfinder.processor.loading import Loaded, expand_documents, load_part
from viewfinder.processor.processor import Processor
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.serve.connection import Connection, ServerError

_REASONS: dict[Any, Literal["stop", "length", "loop", "cancelled"]] = {
    **dict.fromkeys(("stop", "tool_calls", "function_call"), "stop"),
    "length": "length",
    "loop": "loop",
    "cancelled": "cancelled",
}
_SAID = ("max_new_tokens", "temperature", "top_p")
"""Settings that every server is told; others where they change something, or ours has a default of its own."""


class OpenAIChat(ChatModel):
    """One model of one server.

    Args:
        url: of the server, with or without `/v1`.
        model: its name there; the first one it lists when None.
        api_key: sent as a bearer token.
        processor: decides sizes and frames; the official one, or our server's, when None.
        timeout: seconds for one answer.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        *,
        api_key: str | None = None,
        processor: Processor | None = None,
        timeout: float = 600.0,
    ) -> None:
        self._server = Connection(url, api_key, timeout)
        self.url = self._server.url
        self._model, self._processor = model, processor

    def close(self) -> None:
        self._server.close()

    @cached_property
    def card(self) -> dict[str, Any]:
        """The model object of `/v1/models`.

        Raises:
            ServerError: no server, no such model.
        """
        cards = [c for c in self._server.json(self._server.send("GET", "/models")).get("data") or [] if "id" in c]
        found = next((card for card in cards if self._model in (None, card.get("id"))), None)
        if found is None:
            names = ", ".join(str(card.get("id")) for card in cards) or "none"
            raise ServerError(f"{self.url} has no model {self._model!r} but {names}; name one of these")
        return found

    @cached_property
    def fingerprint(self) -> str:
        """What the server tells of its model, without times; weights behind the same card are not told apart."""
        return digest({k: v for k, v in self.card.items() if k in ("id", "root", "viewfinder", "max_model_len")})

    @property
    def is_viewfinder(self) -> bool:
        return self.card.get("owned_by") == "viewfinder"

    @cached_property
    def processor(self) -> Processor:
        """Sizes and frames as the server's model sees them."""
        if self._processor is not None:
            return self._processor
        official = Processor.official()
        if not self.is_viewfinder:
            return official
        told = self.card["viewfinder"]["stamp"]["settings"]
        known = ProcessorSettings.__dataclass_fields__
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items() if k in known}
        return Processor(official.tokenizer, ProcessorSettings(**values))

    @cached_property
    def sampling(self) -> Sampling:
        """What is taken when nothing is said."""
        return Sampling(**self.card["viewfinder"]["sampling"]) if self.is_viewfinder else Sampling()

    def chat(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Reply:
        """Answer a conversation, whole. A `grammar` binds our server only; others' answers are read tolerantly."""
        loaded, body = self._body(messages, options)
        raw = self._server.json(self._server.send("POST", "/chat/completions", body))
        return self._read(raw, raw, loaded)

    def stream(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Iterator[str | Reply]:
        """Pieces of text as they come, then the `Reply`."""
        loaded, body = self._body(messages, options)
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        whole = _Joined()
        given = ""
        for chunk in self._server.events(body):
            try:
                piece = whole.add(chunk)
            except (AttributeError, KeyError, IndexError, TypeError) as error:
                raise self._server.unreadable(chunk) from error
            given += piece
            if piece:
                yield piece
        reply = self._read(whole.head, {"choices": [whole.choice()]}, loaded)
        if len(reply.text) > len(given):  # calls come as fields, not as text
            yield reply.text[len(given) :]
        yield reply

    def _body(self, messages: Sequence[Message], options: ChatOptions) -> tuple[list[Loaded], dict[str, Any]]:
        loaded: list[Loaded] = []
        raw = [self._message(m, loaded) for m in expand_documents(messages, DEFAULT_LIMITS)]
        body = {"model": self.card["id"], "messages": raw, **self._settings(options.get("sampling") or self.sampling)}
        if tools := options.get("tools"):
            body["tools"] = [tool if "function" in tool else {"type": "function", "function": tool} for tool in tools]
        if (schema := options.get("schema")) is not None:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        if self.is_viewfinder and (grammar := options.get("grammar")) is not None:
            body["grammar"] = grammar
        if self._server.gives_logprobs:
            body["logprobs"] = True
        return loaded, body

    def _settings(self, sampling: Sampling) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        plain, off = sampling.model_dump(mode="json"), Sampling().model_dump(mode="json")
        theirs = self.card["viewfinder"]["sampling"] if self.is_viewfinder else {}  # its defaults may be others
        fields |= {n: v for n, v in plain.items() if n not in _SAID and (n in theirs or v != off[n])}
        return fields

    def _message(self, message: Message, loaded: list[Loaded]) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, TextPart):
                parts.append({"type": "text", "text": part.text})
            else:
                assert isinstance(part, ImagePart | VideoPart), "documents are pages by now"
                medium = load_part(part, self.processor.settings, DEFAULT_LIMITS)
                loaded.append(medium)
                parts.append(self._medium(part, medium))
        text_only = all(part["type"] == "text" for part in parts)
        content: Any = "".join(part["text"] for part in parts) if text_only else parts
        raw: dict[str, Any] = {"role": message.role, "content": content}
        if message.tool_calls:
            raw["tool_calls"] = [_call(i, call) for i, call in enumerate(message.tool_calls)]
        return raw

    def _medium(self, part: ImagePart | VideoPart, medium: Loaded) -> dict[str, Any]:
        """Pixels of the size that the model sees; our server is also told the bounds, so that it agrees."""
        width, height = medium.info.resized_size
        bounds = {"min_pixels": width * height, "max_pixels": width * height} if self.is_viewfinder else {}
        if isinstance(medium.pixels, Image.Image):
            return {"type": "image_url", "image_url": {"url": _png(medium.pixels)}, **bounds}
        assert medium.pixels is not None
        frames = [Image.fromarray(frame) for frame in medium.pixels]
        if self.is_viewfinder:
            times = list(medium.info.frame_times or ())
            return {"type": "video", "video": [_png(frame) for frame in frames], "frame_times": times, **bounds}
        joined = ",".join(_encoded(frame, "JPEG", quality=95) for frame in frames)
        return {"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{joined}"}}

    def _read(self, head: dict[str, Any], answer: dict[str, Any], loaded: Sequence[Loaded]) -> Reply:
        """The reply; raises `ServerError` where the answer is of another shape."""
        try:
            return self._reply(head, answer["choices"][0], loaded)
        except (AttributeError, KeyError, IndexError, TypeError, ValidationError) as error:
            raise self._server.unreadable(answer) from error

    def _reply(self, raw: dict[str, Any], choice: dict[str, Any], loaded: Sequence[Loaded]) -> Reply:
        message = choice["message"]
        text = message.get("content") or ""
        if calls := message.get("tool_calls"):
            text = "\n".join([*([text] if text else []), *map(_call_text, calls)])
        tokens = (choice.get("logprobs") or {}).get("content") or []
        usage = raw.get("usage") or {}
        own = raw.get("viewfinder") or {}
        reason = (own.get("finish_reasons") or [choice.get("finish_reason")])[0]
        if reason not in _REASONS:
            raise ServerError(
                f"{self.url} ended its answer with the reason {reason!r}, so it may not be complete; expected one of "
                f"{', '.join(_REASONS)}"
            )
        return Reply(
            text=text,
            finish_reason=_REASONS[reason],
            token_texts=tuple(token["token"] for token in tokens),
            logprobs=tuple(min(0.0, token["logprob"]) for token in tokens),
            usage=Usage(
                prompt_tokens=usage.get("prompt_tokens") or 0,
                completion_tokens=usage.get("completion_tokens") or 0,
                media_tokens=sum(medium.info.tokens for medium in loaded),
            ),
            media=tuple(medium.info for medium in loaded),
            stamp=own.get("stamp") or self.processor.stamp.hash,
        )


class _Joined:
    """A streamed answer put together."""

    def __init__(self) -> None:
        self.head: dict[str, Any] = {}
        self._text: list[str] = []
        self._tokens: list[dict[str, Any]] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish: str | None = None

    def add(self, chunk: dict[str, Any]) -> str:
        """Note a chunk; its text."""
        self.head |= {key: chunk[key] for key in ("usage", "viewfinder") if chunk.get(key)}
        if not chunk.get("choices"):
            return ""
        choice = chunk["choices"][0]
        delta = choice.get("delta") or {}
        self._tokens += (choice.get("logprobs") or {}).get("content") or []
        self._finish = choice.get("finish_reason") or self._finish
        for call in delta.get("tool_calls") or ():
            empty = {"function": {"name": "", "arguments": ""}}
            known = self._calls.setdefault(call.get("index", 0), empty)["function"]
            for name in known:
                known[name] += (call.get("function") or {}).get(name) or ""
        self._text.append(delta.get("content") or "")
        return self._text[-1]

    def choice(self) -> dict[str, Any]:
        message = {"content": "".join(self._text), "tool_calls": [self._calls[i] for i in sorted(self._calls)]}
        return {"message": message, "finish_reason": self._finish, "logprobs": {"content": self._tokens}}


def _call(index: int, call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
    return {"id": f"call_{index}", "type": "function", "function": function}


def _call_text(raw: dict[str, Any]) -> str:
    """A call as the model writes it; one that was cut stays as far as it came."""
    name, arguments = raw["function"]["name"], raw["function"].get("arguments") or "{}"
    try:
        read = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return f'{OPENING}\n{{"name": {json.dumps(name)}, "arguments": {arguments}'
    return format_tool_call(ToolCall(name=name, arguments=read if isinstance(read, dict) else {}))


def _encoded(image: Image.Image, kind: str, **options: Any) -> str:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return base64.b64encode(sink.getvalue()).decode()


def _png(image: Image.Image) -> str:
    return f"data:image/png;base64,{_encoded(image, 'PNG', compress_level=1)}"
