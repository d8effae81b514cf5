"""`/v1/completions`, `/tokenize` and `/detokenize`: text that is given to the model as it is, without a conversation.

A prompt here is the whole of what the model reads, so names of control tokens in it are those tokens, as in other
engines; in a conversation they are text.
"""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import torch
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field, model_validator

import viewfinder
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.errors import LimitError, MessageError
from viewfinder.inputs import ModelInputs
from viewfinder.processor.processor import Prepared, Processor
from viewfinder.serve.answering import Chunks, answer_completion, check_model, sse, taker, to_chat_request, unless_gone
from viewfinder.serve.body import Body, check_json
from viewfinder.serve.completions import Completion
from viewfinder.serve.neutral import OwnFields, Refused
from viewfinder.serve.protocol import ChatMessage, Tool
from viewfinder.serve.request_media import RequestMedia
from viewfinder.serve.sampling_fields import SamplingFields

if TYPE_CHECKING:
    from viewfinder.serve.app import Server

Text = Annotated[str, Field(max_length=1_000_000)]
Ids = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=1_000_000)]


class TextRequest(OwnFields, SamplingFields):
    """`POST /v1/completions`."""

    model: str
    prompt: Text | Ids | Annotated[list[Text], Field(min_length=1)] | Annotated[list[Ids], Field(min_length=1)] = (
        "<|endoftext|>"
    )
    max_tokens: int = Field(default=16, gt=0, le=10**6)  # pyright: ignore[reportIncompatibleVariableOverride] (never None here)
    n: int = Field(default=1, ge=1)
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    echo: bool = False
    logprobs: int | None = Field(default=None, ge=0, le=20)
    best_of: int | None = None
    user: str | None = None

    @classmethod
    def refused(cls) -> Refused:
        return {"suffix": "this model was not trained to fill in the middle of a text; leave it out"}

    @model_validator(mode="after")
    def _plain(self) -> "TextRequest":
        check_json(self.prompt)
        if self.best_of not in (None, self.n):
            raise ValueError("best_of is not taken but at the value of n: all answers that are made are given")
        if self.echo and self.logprobs is not None:
            raise ValueError("echo and logprobs cannot go together: tokens of the prompt have no logprobs here")
        return self

    @property
    def prompts(self) -> list[str | list[int]]:
        given: Any = self.prompt
        return given if isinstance(given, list) and isinstance(given[0], str | list) else [given]


class TextCompletion(Completion):
    """Prompts without a conversation around them."""

    def __init__(self, text: TextRequest, engine: AsyncEngine, request_media: RequestMedia, tenant: str) -> None:
        names = ("model", "n", "stream", "stream_options", *SamplingFields.model_fields, *OwnFields.model_fields)
        shared = {name: getattr(text, name) for name in names}
        told = {"logprobs": text.logprobs is not None or None, "top_logprobs": text.logprobs}
        chat = to_chat_request(messages=[{"role": "user", "content": ""}], **shared, **told)
        super().__init__(chat, engine, request_media, tenant)
        self.text = text
        self.id = self.id.replace("chatcmpl", "cmpl")

    def prompts(self) -> list[Prepared]:
        processor = self.engine.engine.processor
        return [as_inputs(processor, ids_of(processor, prompt)) for prompt in self.text.prompts]


class TextForm:
    """The older completion object, whole and as chunks."""

    def __init__(self, text: TextRequest, processor: Processor) -> None:
        echoed = [p if isinstance(p, str) else processor.tokenizer.decode(p, False) for p in text.prompts]
        self._before = [shown if text.echo else "" for shown in echoed for _ in range(text.n)]
        self._logprobs = text.logprobs is not None
        self._at = [len(before) for before in self._before]

    def whole(self, completion: Completion, answer: dict[str, Any]) -> dict[str, Any]:
        choices = [self._choice(choice, choice["message"]["content"]) for choice in answer["choices"]]
        return {**answer, "object": "text_completion", "choices": choices}

    async def events(self, completion: Completion, chunks: Chunks) -> AsyncIterator[str]:
        async for chunk in chunks:
            chosen = [self._choice(choice, choice["delta"].get("content") or "") for choice in chunk["choices"]]
            yield sse({**chunk, "object": "text_completion", "choices": chosen})
        yield "data: [DONE]\n\n"

    def failure(self, body: dict[str, Any]) -> str:
        return sse(body)

    def _choice(self, choice: dict[str, Any], text: str) -> dict[str, Any]:
        index = choice["index"]
        before, self._before[index] = self._before[index], ""
        tokens = (choice["logprobs"] or {}).get("content") or [] if self._logprobs else None
        shown = {"text": before + text, "logprobs": None if tokens is None else self._written(index, tokens)}
        return {"index": index, "finish_reason": choice["finish_reason"], **shown}

    def _written(self, index: int, tokens: Sequence[dict[str, Any]]) -> dict[str, Any]:
        offsets: list[int] = []
        for token in tokens:
            offsets.append(self._at[index])
            self._at[index] += len(token["token"])
        return {
            "tokens": [token["token"] for token in tokens],
            "token_logprobs": [token["logprob"] for token in tokens],
            "top_logprobs": [{top["token"]: top["logprob"] for top in token["top_logprobs"]} for token in tokens],
            "text_offset": offsets,
        }


def ids_of(processor: Processor, prompt: str | Sequence[int]) -> list[int]:
    """The tokens of a prompt, `<|im_start|>` and the like being the tokens of that name.

    Raises:
        MessageError: none at all, an id that the model has no token for, or a placeholder of a picture or clip.
    """
    tokenizer = processor.tokenizer
    ids = tokenizer.backend.encode(prompt, add_special_tokens=False).ids if isinstance(prompt, str) else list(prompt)
    if not ids:
        raise MessageError("the prompt is empty, and there is nothing to go on from; give some text or tokens")
    if wrong := [i for i in ids if i >= tokenizer.vocab_size]:
        raise MessageError(f"the prompt has the token {wrong[0]}, over the {tokenizer.vocab_size:,} of this model")
    if {processor.image_token_id, processor.video_token_id} & set(ids):
        raise MessageError(
            "the prompt has a placeholder of a picture, and none can be given here; send it to /v1/chat/completions"
        )
    return ids


def as_inputs(processor: Processor, ids: Sequence[int]) -> Prepared:
    """Tokens as they are, at positions 0, 1, 2, ... on all three axes."""
    count = len(ids)
    inputs = ModelInputs(
        input_ids=torch.tensor(ids, dtype=torch.int64),
        position_ids=torch.arange(count).expand(3, count).clone(),
        cu_seqlens=torch.tensor([0, count], dtype=torch.int32),
        rope_deltas=(0,),
        media_per_sequence=(0,),
        stamp=processor.stamp.hash,
    )
    return Prepared(inputs, (), ())


class TokenizeRequest(Body):
    """A text, or a conversation as the model gets it."""

    model: str | None = None
    prompt: Text | None = None
    messages: list[ChatMessage] | None = Field(default=None, min_length=1, max_length=1000)
    tools: list[Tool] | None = None
    return_token_strs: bool = False
    add_special_tokens: bool | None = Field(default=None, description="There are none to add to a text.")
    add_generation_prompt: bool | None = Field(default=None, description="True: a conversation ends with the header.")

    @model_validator(mode="after")
    def _one(self) -> "TokenizeRequest":
        check_json(self.prompt)
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either prompt or messages")
        if self.add_generation_prompt is False:
            raise ValueError("add_generation_prompt is only taken as true: a conversation is counted as it is asked")
        return self


class DetokenizeRequest(Body):
    model: str | None = None
    tokens: list[Annotated[int, Field(ge=0)]] = Field(max_length=1_000_000)


def add_text_routes(app: FastAPI, server: "Server") -> None:
    processor = server.engine.engine.processor
    post = taker(app, server.settings, "text")

    @post("/v1/completions")
    async def completions(body: TextRequest, request: Request) -> Response:
        """A text that the model goes on with, without a conversation; pictures go to chat completions."""
        check_model(server, body.model)
        count, most = len(body.prompts) * body.n, server.settings.max_choices
        if count > most:  # before anything is made for each of them
            raise LimitError(f"{count} answers are asked for, over the {most} of one request; ask again instead")
        completion = TextCompletion(body, server.engine, server.request_media, request.state.tenant)
        return await answer_completion(server, completion, request, TextForm(body, processor))

    @post("/tokenize")
    async def tokenize(body: TokenizeRequest, request: Request) -> Response:
        """The tokens of a text, or of a conversation with its pictures."""
        check_model(server, body.model)

        def ids() -> list[int]:
            if body.prompt is not None:
                return ids_of(processor, body.prompt) if body.prompt else []
            chat = to_chat_request(model=server.settings.model_name, messages=body.messages, tools=body.tools)
            completion = Completion(chat, server.engine, server.request_media, request.state.tenant)
            return completion.prepare().inputs.input_ids.tolist()

        def work() -> dict[str, Any]:
            found = ids()
            names = [processor.tokenizer.decode([i], False) for i in found] if body.return_token_strs else None
            most = server.request_media.context
            return {"count": len(found), "max_model_len": most, "tokens": found, "token_strs": names}

        return JSONResponse(await unless_gone(request, server.in_thread(work)))

    @post("/detokenize")
    async def detokenize(body: DetokenizeRequest, request: Request) -> Response:
        """The text of tokens; control tokens by their names."""
        check_model(server, body.model)
        text = await unless_gone(request, server.in_thread(processor.tokenizer.decode, body.tokens, False))
        return JSONResponse({"prompt": text})

    @app.get("/version", tags=["service"])
    async def version() -> dict[str, str]:
        """The version of this server."""
        return {"version": viewfinder.__version__}
