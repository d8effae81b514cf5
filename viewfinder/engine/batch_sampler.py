"""Choosing the next tokens of many sequences at once, where their logits are, with one transfer back to the host.

The order of the steps is that of the reference implementation and of vLLM (bias, penalties, temperature, min-p, top-k,
top-p), so equal settings mean equal distributions. A draw is one number in [0, 1) a token, from the generator of the
sequence: the tokens stand in the order of their probability, and the one at that share of the sum is taken. Only the
256 likeliest tokens are put in order; where the draw or the cut of top-p falls beyond them, the row is done once more
with 8,192, then with all. Where a grammar leaves few tokens, only those are looked at. So the tokens of a request are
the same whatever stands beside it, and on each device but for near ties. `engine.reference` has the definition.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from viewfinder.engine.nucleus import draw_token
from viewfinder.engine.sampler import FinishReason, Sampler, Token
from viewfinder.errors import CheckpointError

_CANDIDATES = (256, 8192)
_FEW = 256
_CPU_LOGITS = 600_000
"""Logits at a time on a CPU: its caches hold no more. Four rows of the official vocabulary."""
_MINUS = float("-inf")


@dataclass(frozen=True)
class Turn:
    """Tokens that one sequence chooses in this step: its next `num_rows`, of which the first are `forced`."""

    sampler: Sampler
    num_rows: int = 1
    forced: Sequence[int] = ()


@dataclass(frozen=True)
class Sampled:
    """The tokens of a turn, fewer than asked for where the answer ends; and what went wrong after them, if anything."""

    tokens: tuple[Token, ...]
    error: Exception | None = None


@dataclass(frozen=True)
class _Row:
    """One row of logits: which tokens may come next (None: all), as `Constraint.bits` and, where they are few, by id.

    A forced token has its `reason` already, for the grammar went on to the next one.
    """

    at: int
    sampler: Sampler
    draw: float
    bits: np.ndarray | None = None
    few: np.ndarray | None = None
    is_forced: bool = False
    reason: FinishReason | None = None


def sample(turns: Sequence[Turn], logits: Float[Tensor, "K V"]) -> list[Sampled]:
    """The next tokens of each sequence; `logits` has the rows of all turns, one after another."""
    rows: list[list[_Row]] = []
    errors: list[Exception | None] = []
    at = 0
    for turn in turns:
        rows.append([])
        errors.append(None)
        try:
            rows[-1].extend(_rows(turn, at))
        except Exception as error:  # of this sequence's grammar
            errors[-1] = error
        at += turn.num_rows
    every = [row for group in rows for row in group]
    chosen = iter(_chosen(logits, every))
    return [_sampled(group, [next(chosen) for _ in group], error) for group, error in zip(rows, errors, strict=True)]


def _rows(turn: Turn, at: int) -> Iterator[_Row]:
    """The rows of a turn up to where the answer ends, the grammar going on past each forced token."""
    sampler = turn.sampler
    for i in range(turn.num_rows):
        draw = sampler.draw()
        if i == len(turn.forced):
            bits = sampler.bits()
            yield _Row(at + i, sampler, draw, bits, None if bits is None else _few(bits))
            return
        token_id = turn.forced[i]
        reason = sampler.accept(token_id)
        only = np.packbits(np.arange(token_id + 1) == token_id, bitorder="little")
        yield _Row(at + i, sampler, draw, only, np.array([token_id]), is_forced=True, reason=reason)
        if reason is not None:
            return


def _few(bits: np.ndarray) -> np.ndarray | None:
    """The ids of bits that are set, in order, where they are few; 0b00000101 in byte 2 is ids 16 and 18."""
    at = np.flatnonzero(bits)
    if len(at) > _FEW:
        return None
    byte, bit = np.nonzero(np.unpackbits(bits[at, None], axis=1, bitorder="little"))
    return 8 * at[byte] + bit if len(bit) <= _FEW else None


def _sampled(rows: Sequence[_Row], chosen: Sequence[list[float]], error: Exception | None) -> Sampled:
    tokens: list[Token] = []
    for row, (number, logprob, _, *top) in zip(rows, chosen, strict=True):
        token_id, most = int(number), row.sampler.top_logprobs
        if logprob != logprob:  # token 0 without end would be the answer
            return Sampled(tuple(tokens), _no_number())
        try:
            reason = row.reason if row.is_forced else row.sampler.accept(token_id)
        except Exception as refused:
            return Sampled(tuple(tokens), refused)
        half = len(top) // 2
        likeliest = tuple((int(i), value) for i, value in zip(top[:most], top[half : half + most], strict=True))
        tokens.append(Token(token_id, logprob, reason, likeliest, token_id in row.sampler.ends))
    return Sampled(tuple(tokens), error)


def _no_number() -> CheckpointError:
    return CheckpointError(
        "the model's output for this request is no number (NaN), so no token can be chosen; the weights "
        "may be broken or too large for their dtype: load them as float32"
    )


def _chosen(logits: Float[Tensor, "K V"], rows: Sequence[_Row]) -> list[list[float]]:
    """For each row its token, log probability, 1 if the choice is sure, and the likeliest ids and log probabilities."""
    if not rows:
        return []
    top_k = max(row.sampler.sampling.top_k for row in rows)
    found: list[list[float]] = [[]] * len(rows)
    left = list(range(len(rows)))
    for candidates in (*_CANDIDATES, logits.shape[1]):
        for part in _parts(left, rows, logits):
            these = [rows[i] for i in part]
            chosen = _choose(_of(logits, these), these, min(max(candidates, top_k + 1), logits.shape[1])).tolist()
            for i, row in zip(part, chosen, strict=True):
                found[i] = row  # type: ignore[assignment]
        left = [i for i in left if not found[i][2] and found[i][1] == found[i][1]]  # a row of NaN stays one
    return found


def _parts(left: Sequence[int], rows: Sequence[_Row], logits: Float[Tensor, "K V"]) -> Iterator[Sequence[int]]:
    """Rows that are done together: all of them on a GPU."""
    if logits.device.type != "cpu":
        yield from [left] if left else []
        return
    most = max(1, _CPU_LOGITS // logits.shape[1])
    for is_few in (True, False):
        some = [i for i in left if (rows[i].few is not None) is is_few]
        yield from (some[i : i + most] for i in range(0, len(some), most))


def _of(logits: Tensor, rows: Sequence[_Row]) -> Tensor:
    places = [row.at for row in rows]
    if places == list(range(places[0], places[0] + len(places))):
        return logits[places[0] : places[0] + len(places)]
    return logits[torch.tensor(places).to(logits.device)]


def _choose(logits: Float[Tensor, "K V"], rows: Sequence[_Row], candidates: int) -> Float[Tensor, "K C"]:
    device = logits.device
    placeholders = torch.tensor(rows[0].sampler.placeholders).to(device)
    settings = torch.tensor([_settings(row.sampler, row.draw) for row in rows], dtype=torch.float64).to(device)
    scores = logits.float().index_fill(1, placeholders, _MINUS)
    logprobs = scores.log_softmax(-1)
    _adjust(scores, rows, settings)
    ids, is_sure = _pick(scores, rows, settings, candidates)
    most = min(logits.shape[1], max(row.sampler.top_logprobs for row in rows))
    top = logprobs.topk(most) if most else None
    columns = [ids, logprobs.gather(1, ids), is_sure, *(() if top is None else (top.indices, top.values))]
    return torch.cat([column.double() for column in columns], 1)


def _settings(sampler: Sampler, draw: float) -> tuple[float, ...]:
    sampling, is_greedy = sampler.sampling, sampler.is_greedy
    return (
        is_greedy,
        1.0 if is_greedy else sampling.temperature,
        sampling.min_p,
        max(0, sampling.top_k),
        sampling.top_p if sampling.top_p < 1 else float("inf"),
        draw,
        sampling.repetition_penalty,
        sampling.presence_penalty,
        sampling.frequency_penalty,
    )


def _adjust(scores: Float[Tensor, "K V"], rows: Sequence[_Row], settings: Float[Tensor, "K S"]) -> None:
    """Bias and penalties, of the tokens that they concern only.

    With `presence_penalty=0.5`, `frequency_penalty=0.1` and an answer `a b a` so far, 0.7 is taken from the logit of a
    and 0.6 from that of b; the prompt counts for the repetition penalty only (CTRL, arXiv 1909.05858).
    """
    tables = [row.sampler.adjustments.rows[: None if not row.is_forced else 0] for row in rows]
    if not any(map(len, tables)):
        return
    places = np.repeat(np.arange(len(rows), dtype=np.float32), [len(table) for table in tables])
    table = torch.from_numpy(np.column_stack([places, np.concatenate(tables)])).to(scores.device)
    place, ids, (seen, times, bias) = table[:, 0].long(), table[:, 1].long(), table[:, 2:].unbind(1)
    repetition, presence, frequency = settings[:, 6:].float().index_select(0, place).unbind(1)
    repetition = torch.where(seen > 0, repetition, 1.0)
    values = scores[place, ids] + bias
    values = torch.where(values > 0, values / repetition, values * repetition)
    taken = torch.where(times > 0, presence + frequency * times, 0.0)
    scores.index_put_((place, ids), values - taken)


def _pick(
    scores: Float[Tensor, "K V"], rows: Sequence[_Row], settings: Float[Tensor, "K S"], candidates: int
) -> tuple[Int[Tensor, "K 1"], Tensor]:
    """The tokens, and whether more candidates would give the same ones. `scores` is written over."""
    is_greedy, temperature = settings[:, :1] > 0, settings[:, 1:2].float()
    if all(row.few is not None for row in rows):
        ids = _padded([row.few for row in rows if row.few is not None]).to(scores.device)
        values = scores.gather(1, ids.clamp(min=0)).masked_fill(ids < 0, _MINUS)
        values, order = (values / temperature).sort(stable=True, dim=-1, descending=True)
        drawn, is_sure = draw_token(values.double(), settings[:, 2:], None)
        drawn = order.gather(1, torch.where(is_greedy, 0, drawn))
        return ids.gather(1, drawn), is_sure
    _forbid(scores, rows)
    likeliest = scores.argmax(-1, keepdim=True) if any(row.sampler.is_greedy for row in rows) else None
    if likeliest is not None and all(row.sampler.is_greedy for row in rows):
        return likeliest, torch.ones_like(is_greedy)
    values, ids = _likeliest(scores.div_(temperature), candidates)
    all_odds = None
    if candidates < scores.shape[1]:
        # below e^-87 there are no normal numbers, and a CPU takes 30 times as long for those
        odds = scores.sub_(values[:, :1]).clamp_(min=-80).exp_()
        all_odds = odds.sum(-1, keepdim=True, dtype=torch.float64)
    drawn, is_sure = draw_token(values.double(), settings[:, 2:], all_odds)
    drawn = ids.gather(1, drawn)
    if likeliest is not None:
        drawn = torch.where(is_greedy, likeliest, drawn)
    return drawn, is_sure | is_greedy


def _likeliest(scores: Float[Tensor, "K V"], count: int) -> tuple[Float[Tensor, "K C"], Int[Tensor, "K C"]]:
    """`topk`. On a CPU the largest of each 64 scores say first below what number none of the likeliest can be.

    Of scores 5 1 | 4 2 | 3 0 in groups of two, the second largest of 5, 4 and 3 is 4: the likeliest two are 5 and 4.
    """
    groups = scores.shape[1] // 64
    if scores.device.type != "cpu" or 2 * count > groups:
        return scores.topk(count)
    least = scores[:, : 64 * groups].unflatten(1, (groups, 64)).amax(2).topk(count).values[:, -1:]
    found = []
    for row, at_least in zip(scores, least.numpy(), strict=True):
        places = torch.from_numpy(np.flatnonzero(row.numpy() >= at_least))
        if len(places) < count:  # of NaN
            return scores.topk(count)
        values, order = row[places].topk(count)
        found.append((values, places[order]))
    values, ids = zip(*found, strict=True)
    return torch.stack(values), torch.stack(ids)


def _padded(few: Sequence[np.ndarray]) -> Int[Tensor, "K C"]:
    """Ids of each row, and -1 behind them."""
    ids = np.full((len(few), max(map(len, few))), -1)
    for line, known in zip(ids, few, strict=True):
        line[: len(known)] = known
    return torch.from_numpy(ids)


def _forbid(scores: Float[Tensor, "K V"], rows: Sequence[_Row]) -> None:
    """Minus infinity for what grammars and least lengths do not allow; a bit for each token goes to the device."""
    if all(row.bits is None for row in rows):
        return
    width = scores.shape[1]
    packed = np.full((len(rows), -(-width // 8)), 255, np.uint8)
    for line, row in zip(packed, rows, strict=True):
        if row.bits is not None:
            known = row.bits[: len(line)]
            line[: len(known)], line[len(known) :] = known, 0
    if scores.device.type == "cpu":  # eight tokens at a time; a mask of bools takes ten times as long
        byte = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
        known = np.where(byte, 0, _MINUS).astype(np.float32).take(packed, axis=0).reshape(len(rows), -1)
        scores.add_(torch.from_numpy(known)[:, :width])
        return
    bit = torch.tensor([1 << i for i in range(8)], dtype=torch.uint8).to(scores.device)
    forbidden = (torch.from_numpy(packed).to(scores.device)[:, :, None] & bit) == 0
    scores.masked_fill_(forbidden.flatten(1)[:, :width], _MINUS)
