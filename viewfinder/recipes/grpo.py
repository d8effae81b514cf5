"""Training on rewards, put together: rows as prompts with their truth, the writer of answers, the rewards."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from viewfinder.data.places import for_model
from viewfinder.data.sample import Sample
from viewfinder.engine.grammar import GrammarCompiler
from viewfinder.errors import DataError
from viewfinder.messages import ChatModel
from viewfinder.outputs import grammars
from viewfinder.processor.processor import Processor
from viewfinder.recipes.rewards.cases import Case, case_of
from viewfinder.recipes.rewards.scoring import Rewards
from viewfinder.train.checks import check_conversation, check_length
from viewfinder.train.config import ConfigError, TrainConfig
from viewfinder.train.dataloader import Row, RowSource
from viewfinder.train.distributed import ParallelDims
from viewfinder.train.learner import Learner
from viewfinder.train.rollout_loader import RolloutLoader
from viewfinder.train.rollouts import Prompt, Writer


def rollout_loader(
    config: TrainConfig, learner: Learner, processor: Processor, source: RowSource, parallel: ParallelDims
) -> RolloutLoader:
    """The dataloader of a run on rewards.

    Raises:
        ConfigError: a reward that does not exist, or settings that do not go together.
    """
    settings = config.grpo.resolved()
    trained = config.lora is None and (config.lr_scale.tower > 0 or config.lr_scale.merger > 0)
    if settings.kl and trained:
        raise ConfigError(
            "grpo.kl compares with a reference that sees through the same vision tower, and this run trains the tower; "
            "set lr_scale.tower=0 lr_scale.merger=0, or grpo.kl=0"
        )
    known = range(config.model.text.vocab_size)
    ends = (processor.tokenizer.token_id("<|im_end|>"), config.model.eos_token_id)
    ends = tuple(dict.fromkeys(token for token in ends if token in known))
    compiler = GrammarCompiler(processor.tokenizer.backend, ends) if settings.grammar else None
    writer, place = Writer(settings, processor.tokenizer, ends, config.seed), (parallel.data_rank, parallel.data_world)
    if settings.worlds:
        from viewfinder.recipes.episodes import episode_loader  # brings the agent, which no other run needs

        return episode_loader(config, learner, processor, writer, compiler, place)
    rewards = Rewards(settings.rewards, settings.reward_seconds, open_judge)
    make = partial(make_prompt, processor=processor, config=config, rewards=rewards, compiler=compiler)
    return RolloutLoader(learner, source, processor, make, writer, rewards, *place)


def make_prompt(
    number: int,
    row: Row,
    *,
    processor: Processor,
    config: TrainConfig,
    rewards: Rewards,
    compiler: GrammarCompiler | None = None,
) -> Prompt:
    """A row up to its last answer, which is the truth. Earlier answers of the conversation are shown as they stand.

    Raises:
        DataError: no conversation, one that leaves no room for an answer, or one that no reward applies to.
    """
    sample = row.make()
    check_conversation(sample)
    view = for_model(sample, processor)
    prepared = processor.prepare(view.messages[:-1], tools=view.tools)
    check_length(len(prepared.inputs.input_ids) + config.grpo.max_new_tokens, config.seq_len)
    case = case_of(sample, processor, prepared.media)
    if not rewards.applies(case):
        raise DataError(f"its answer is of the kind {case.kind!r}, which no reward of this run applies to; name one")
    text = grammar_of(case) if compiler is not None else None
    constraint = compiler.lark(text).copy if compiler is not None and text else None
    return Prompt(number, row.name, _light(sample), prepared, case, constraint)


def _light(sample: Sample) -> Sample:
    """Without what only its own kind knows (whole scenes)."""
    return replace(sample, truth={})


def grammar_of(case: Case) -> str | None:
    """The grammar that answers of a kind are held to; None for kinds without one."""
    if case.kind == "spans":
        return grammars.moments_grammar(case.duration)
    made: dict[str, Callable[..., str]] = {
        "boxes": grammars.boxes_grammar,
        "points": grammars.points_grammar,
        "count": partial(grammars.count_grammar, places="points"),
    }
    if case.frame is None or case.kind not in made:
        return None
    return made[case.kind](*case.frame.resized_size)


def open_judge(name: str) -> ChatModel:
    """A judge by the URL of a server, or by directory, hub id or "tiny"."""
    if name.startswith(("http://", "https://")):
        from viewfinder.serve.client import OpenAIChat

        return OpenAIChat(name)
    from viewfinder.engine.engine import Engine

    return Engine.from_pretrained(name)
