"""The engine: messages in, replies out, for one model in this process. It is a `ChatModel`.

Puts processor, model, grammar and loop guard together, one request at a time. Nothing of a request is
kept on the engine, so requests cannot disturb each other.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch

from viewfinder.engine.checkpoints import eos_token_ids, find_checkpoint, generation_defaults
from viewfinder.engine.generate import Constraint, Token, generate
from viewfinder.engine.grammar import GrammarCompiler
from viewfinder.engine.loop_guard import LoopGuard
from viewfinder.engine.text import AnswerText
from viewfinder.messages import Message, Reply, Sampling, Usage
from viewfinder.model import Qwen2_5_VL, load_model
from viewfinder.model.linear import compute_dtype
from viewfinder.processor.processor import Prepared, Processor


class Engine:
    """A model with its processor."""

    def __init__(
        self,
        model: Qwen2_5_VL,
        processor: Processor,
        *,
        sampling: Sampling | None = None,
        eos_token_ids: Sequence[int] | None = None,
    ) -> None:
        self.model = model
        self.processor = processor
        self.sampling = sampling or Sampling()
        self.eos_token_ids = tuple(eos_token_ids or (model.config.eos_token_id,))

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path = "tiny",
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        **settings: Any,
    ) -> Self:
        """Load a checkpoint by directory, hub id or `tiny`; `settings` override the processor's budgets.

        `device` None takes a GPU when there is one. `dtype` None keeps what the files have, except that a
        small model is widened to float32 where the processor cannot multiply 16-bit numbers.
        """
        directory = find_checkpoint(name)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        model = load_model(directory, dtype=dtype, device=device)
        if dtype is None and model.num_parameters() < 2**28:
            model = model.to(compute_dtype(model.dtype, model.device))
        return cls(
            model,
            Processor.from_pretrained(directory, **settings),
            sampling=generation_defaults(directory),
            eos_token_ids=eos_token_ids(directory, model.config.eos_token_id),
        )

    @cached_property
    def grammars(self) -> GrammarCompiler:
        """Compiles grammars for this vocabulary; made when first needed."""
        return GrammarCompiler(self.processor.tokenizer.backend, self.eos_token_ids)

    def chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[dict[str, Any]] = (),
        schema: dict[str, Any] | None = None,
        grammar: str | None = None,
        sampling: Sampling | None = None,
    ) -> Reply:
        """Answer a conversation, whole."""
        *_, last = self.stream(messages, tools=tools, schema=schema, grammar=grammar, sampling=sampling)
        assert isinstance(last, Reply)
        return last

    def stream(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[dict[str, Any]] = (),
        schema: dict[str, Any] | None = None,
        grammar: str | None = None,
        sampling: Sampling | None = None,
    ) -> Iterator[str | Reply]:
        """Pieces of text as they come, then the `Reply`.

        Raises:
            MessageError, MediaError, ContextLengthError, GrammarError: before the first piece.
        """
        prepared = self.processor.prepare(messages, tools=tools)
        sampling = sampling or self.sampling
        answer = AnswerText(self.processor.tokenizer, sampling.stop)
        tokens: list[Token] = []
        for token in generate(
            self.model,
            prepared.inputs,
            sampling,
            eos_token_ids=self.eos_token_ids,
            constraint=self._constraint(schema, grammar),
            guard=LoopGuard(self.processor.tokenizer.token_bytes),
        ):
            tokens.append(token)
            if piece := answer.push(token.id):
                yield piece
            if answer.stopped:
                break
        if piece := answer.finish():
            yield piece
        yield _reply(prepared, answer, tokens)

    def _constraint(self, schema: dict[str, Any] | None, grammar: str | None) -> Constraint | None:
        assert schema is None or grammar is None, "a schema or a grammar, not both"
        if schema is not None:
            return self.grammars.json_schema(schema)
        return None if grammar is None else self.grammars.lark(grammar)


def _reply(prepared: Prepared, answer: AnswerText, tokens: Sequence[Token]) -> Reply:
    reason = tokens[-1].finish_reason
    return Reply(
        text=answer.text,
        finish_reason="stop" if answer.stopped or reason is None else reason,
        tokens=tuple(token.id for token in tokens),
        token_texts=tuple(answer.pieces),
        logprobs=tuple(token.logprob for token in tokens),
        usage=Usage(
            prompt_tokens=len(prepared.inputs.input_ids),
            completion_tokens=len(tokens),
            media_tokens=sum(info.tokens for info in prepared.media),
        ),
        media=prepared.media,
        stamp=prepared.inputs.stamp,
    )
