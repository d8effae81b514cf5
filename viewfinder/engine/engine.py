"""The engine: messages in, replies out, for one model in this process. `Engine` is a `ChatModel`.

`EngineCore` is the loop below it, token ids in and token ids out: it has a scheduler and a runner, and makes steps with
both. An `Engine` gives each request its own core with a batch of one, so requests cannot change each other's results;
`async_engine` has one core for all requests. `engine.reference` defines the correct tokens.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, Unpack

import torch

from viewfinder.engine.checkpoints import eos_token_ids, find_checkpoint, generation_defaults
from viewfinder.engine.fingerprint import fingerprint
from viewfinder.engine.grammar import GrammarCompiler
from viewfinder.engine.loop_guard import LoopGuard
from viewfinder.engine.model_runner import ModelRunner, StepOutput
from viewfinder.engine.ranks import load_on_ranks
from viewfinder.engine.request import EngineRequest, RequestOutput
from viewfinder.engine.sampler import Constraint, LoopDetector, Sampler, Token
from viewfinder.engine.scheduler import Counters, EngineConfig, Scheduler
from viewfinder.inputs import ModelInputs
from viewfinder.messages import ChatModel, ChatOptions, Message, Reply, Sampling
from viewfinder.model import KVCache, Qwen2_5_VL, load_model
from viewfinder.model.layers import compute_dtype
from viewfinder.processor.processor import Processor


class EngineCore:
    """Scheduler and runner of one model, for one thread."""

    def __init__(
        self,
        model: Qwen2_5_VL,
        config: EngineConfig,
        counters: Counters | None = None,
        runner: type[ModelRunner] = ModelRunner,
    ) -> None:
        self.runner = runner(model, config)
        self.scheduler = Scheduler(config, self.runner.kv_cache.num_blocks, counters or Counters())

    def step(self) -> list[StepOutput]:
        """Run one step. The list is empty where no sequence can be read. Finished sequences leave the scheduler."""
        running = self.scheduler.running
        self.runner.encoder.collect(wait=bool(running) and all(sequence.awaits_features for sequence in running))
        outputs = self.runner.run(self.scheduler.schedule())
        for output in outputs:
            self.scheduler.update(output.sequence, output.num_tokens)
            output.sequence.extend(output.tokens)
            if output.error is not None or any(token.finish_reason for token in output.tokens):
                self.scheduler.finish(output.sequence)
            else:
                output.sequence.look_ahead()
        return outputs


def generate(
    model: Qwen2_5_VL,
    inputs: ModelInputs,
    sampling: Sampling,
    *,
    eos_token_ids: Collection[int],
    constraint: Constraint | None = None,
    guard: LoopDetector | None = None,
) -> Iterator[Token]:
    """Generate tokens after one packed sequence; the last one has a `finish_reason`.

    Raises:
        ContextLengthError: the prompt leaves no room for an answer.
    """
    yield from _generate(model, inputs, Sampler(model.config, inputs, sampling, eos_token_ids, constraint, guard))


def _generate(model: Qwen2_5_VL, inputs: ModelInputs, sampler: Sampler) -> Iterator[Token]:
    core = EngineCore(model, _batch_of_one(model, sampler.max_length))
    core.scheduler.add(core.runner.make_sequence(inputs, sampler))
    while not core.scheduler.is_idle:
        for output in core.step():
            yield from output.tokens
            if output.error is not None:
                raise output.error


def _batch_of_one(model: Qwen2_5_VL, length: int) -> EngineConfig:
    """The prompt is read in one step, and the cache holds just one sequence of `length` tokens."""
    size = EngineConfig.block_size
    block = KVCache.block_bytes(model.config.text, size, model.cache_dtype)
    return EngineConfig(
        max_num_seqs=1,
        max_num_batched_tokens=length,
        max_num_patches=2**62,
        cache_bytes=-(-length // size) * block,
        enable_prefix_caching=False,
        enforce_eager=True,  # its cache lives for one answer, which does not pay for a capture
    )


class Engine(ChatModel):
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
        if not processor.settings.normalize:
            model.visual.normalization = (processor.settings.image_mean, processor.settings.image_std)
        self.compile_aside: Callable[[Callable[[], Any]], Any] = lambda work: work()
        # In every supported template a turn ends with <|im_end|>, whichever token the files name as eos.
        end = processor.tokenizer.token_id("<|im_end|>")
        self.eos_token_ids = tuple(dict.fromkeys((end, *(eos_token_ids or (model.config.eos_token_id,)))))

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path = "tiny",
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        tensor_parallel: int = 1,
        **settings: Any,
    ) -> Self:
        """Load a checkpoint by directory, hub id or `tiny`; `settings` override the processor's budgets.

        With `device` None a GPU is used where there is one. With `dtype` None the dtype of the files is kept, except
        that a small model is converted to float32 where the CPU cannot multiply 16-bit numbers. With `tensor_parallel`
        over 1, as many processes and devices share the weights (`engine.ranks`).
        """
        directory = find_checkpoint(name)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if tensor_parallel > 1:
            model = load_on_ranks(directory, tensor_parallel, dtype=dtype, device=device)
        else:
            model = load_model(directory, dtype=dtype, device=device)
            if dtype is None and model.num_parameters() < 2**28:
                model = model.to(compute_dtype(model.dtype, model.device))
            if model.device.type == "cuda":
                model.join_projections()
        if model.device.type == "cuda":
            settings.setdefault("normalize", False)
        return cls(
            model,
            Processor.from_pretrained(directory, **settings),
            sampling=generation_defaults(directory),
            eos_token_ids=eos_token_ids(directory, model.config.eos_token_id),
        )

    @cached_property
    def fingerprint(self) -> str:
        """Identifies the weights, the vocabulary and the end tokens; see `viewfinder.engine.fingerprint`."""
        return fingerprint(self.model, self.processor.tokenizer.vocab_size, self.eos_token_ids)

    @cached_property
    def grammars(self) -> GrammarCompiler:
        """Compiles grammars for this vocabulary; created at first use."""
        return GrammarCompiler(self.processor.tokenizer.backend, self.eos_token_ids, self.compile_aside)

    def stream(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Iterator[str | Reply]:
        """Pieces of text as they come, then the `Reply`.

        Raises:
            MessageError, MediaError, ContextLengthError, GrammarError: before the first piece.
        """
        request = self.request(messages, **options)
        output = RequestOutput(request, self.processor.tokenizer)
        for token in _generate(self.model, request.prepared.inputs, self.sampler(request)):
            delta = output.push(token)
            if delta.text:
                yield delta.text
            if output.finished:
                break
        yield output.reply()

    def request(
        self,
        messages: Sequence[Message],
        *,
        processor: Processor | None = None,
        tenant: str = "",
        **options: Unpack[ChatOptions],
    ) -> EngineRequest:
        """Prepare a conversation with `processor`, by default the engine's. Errors as in `stream`."""
        prepared = (processor or self.processor).prepare(messages, tools=options.get("tools", ()))
        constraint = self.constraint(options.get("schema"), options.get("grammar"))
        return EngineRequest(prepared, options.get("sampling") or self.sampling, constraint, tenant)

    def constraint(self, schema: dict[str, Any] | None, grammar: str | None) -> Constraint | None:
        """Compile what the answer must obey; raises `GrammarError`."""
        assert schema is None or grammar is None, "a schema or a grammar, not both"
        if schema is not None:
            return self.grammars.json_schema(schema)
        return None if grammar is None else self.grammars.lark(grammar)

    def sampler(self, request: EngineRequest) -> Sampler:
        """Chooses the tokens of a request; raises `ContextLengthError`."""
        return Sampler(
            self.model.config,
            request.prepared.inputs,
            request.sampling,
            self.eos_token_ids,
            request.constraint,
            LoopGuard(self.processor.tokenizer.token_bytes),
            request.top_logprobs,
        )
