"""How many tokens of each running sequence a step reads, in shares that are fair to tenants. Knows no blocks."""

from typing import TYPE_CHECKING

from viewfinder.engine.sequence import Sequence

if TYPE_CHECKING:
    from viewfinder.engine.scheduler import EngineConfig

_LONG = 1024
"""A prompt is read in half, a third ... of its share after so many tokens, twice as many ..., beside other tenants."""


def share_out(running: list[Sequence], config: "EngineConfig") -> list[tuple[Sequence, int]]:
    """How many tokens each running sequence gets to read in the next step.

    With a budget of 100 and two sequences decoding, prompts of 20 and 500 tokens get 20 and 78. Forced tokens beyond a
    sequence's equal share of the budget wait for the next step. Beside other tenants, sequences of one may take turns.
    """
    decoders = _in_turn(running, config.max_shared_seqs)
    most = max(1, config.max_num_batched_tokens // max(1, len(decoders)))
    decoding = [(sequence, min(sequence.num_pending_tokens, most)) for sequence in decoders]
    prompts: dict[str, list[Sequence]] = {}
    for sequence in sorted((s for s in running if not s.is_decoding), key=lambda s: s.order):
        prompts.setdefault(sequence.tenant, []).append(sequence)
    left = max(config.max_num_batched_tokens - sum(count for _, count in decoding), config.min_chunk_tokens)
    chosen: list[tuple[Sequence, int]] = []
    lines = sorted(
        prompts.values(), key=lambda line: sum(s.num_pending_tokens for s in line)
    )  # what is not used goes on
    for i, line in enumerate(lines):
        part = min(left, max(config.min_chunk_tokens, left // (len(lines) - i)))
        if len({sequence.tenant for sequence in running}) > 1:  # tokens after many cost more, and others wait meanwhile
            part = max(config.min_chunk_tokens, part // (1 + line[0].num_computed_tokens // _LONG))
        given = _shares(line, part, config.min_chunk_tokens)
        chosen += given
        left -= sum(count for _, count in given)
    return decoding + chosen


def _in_turn(running: list[Sequence], most: int) -> list[Sequence]:
    """Those that decode in the next step: all where one tenant runs, else `most` of them, in equal shares of the
    tenants, those first that were read longest ago. With 16, of tenants with 40 and 3, 13 and 3 take part."""
    decoders = [sequence for sequence in running if sequence.is_decoding]
    if len({sequence.tenant for sequence in running}) < 2:
        return decoders
    lines: dict[str, list[Sequence]] = {}
    for sequence in sorted(decoders, key=lambda s: (s.last_step, s.order)):
        lines.setdefault(sequence.tenant, []).append(sequence)
    chosen: list[Sequence] = []
    for i, line in enumerate(sorted(lines.values(), key=len)):
        chosen += line[: max(1, (most - len(chosen)) // (len(lines) - i))]
    return chosen


def _shares(prompts: list[Sequence], left: int, least: int) -> list[tuple[Sequence, int]]:
    """Equal shares of `left` tokens for the prompts of one tenant, oldest first. What would be left of a prompt is
    never less than `least`: with 64, one of 65 tokens is read at once."""
    prompts[1:] = sorted(prompts[1:], key=lambda s: s.num_pending_tokens)  # the oldest is never overtaken by all
    chosen: list[tuple[Sequence, int]] = []
    for i, sequence in enumerate(prompts):
        if left <= 0:
            break
        pending, share = sequence.num_pending_tokens, max(least, left // (len(prompts) - i))
        share = min(pending if pending < share + least else share, left)
        chosen.append((sequence, share))
        left -= share
    return chosen
