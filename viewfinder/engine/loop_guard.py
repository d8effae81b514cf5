"""Stops an answer that has begun to repeat itself, without a penalty that would damage tables.

Three signs, each with a limit that true repetition does not reach:

    tokens    the same tokens over and over, with any period up to `max_period`
    rows      nothing but rows that were already written three times, for a long stretch, in any order
    counting  the same row again and again with all its numbers moving by the same steps

What looks like a table (cells, columns of numbers) may repeat for longer than prose may. Knows token ids
and their text, no model and no grammar.
"""

import codecs
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

_BLOCK = 16


@dataclass(frozen=True)
class LoopLimits:
    """How much repetition is still believed. Lengths in tokens.

    A period is a loop when it has filled `*_tokens` and come `*_repeats` times, or filled `longest`.
    """

    max_period: int = 512
    single_tokens: int = 256
    prose_tokens: int = 320
    prose_repeats: int = 8
    table_tokens: int = 1000
    table_repeats: int = 40
    longest: int = 2500
    stale_prose_tokens: int = 600
    stale_table_tokens: int = 2500
    counting_rows: int = 150


@dataclass(frozen=True)
class LoopReport:
    """Why an answer was stopped.

    Attributes:
        kind: which of the three signs.
        period: tokens in one repetition ("tokens"), else 0.
        repeats: repetitions, or rows.
        keep: number of tokens of the answer before the repetition became one: the part worth reading.
    """

    kind: Literal["tokens", "rows", "counting"]
    period: int
    repeats: int
    keep: int

    def __str__(self) -> str:
        what = f"{self.period} tokens repeated" if self.kind == "tokens" else f"{self.kind} without new content"
        return f"stopped a loop ({what}, {self.repeats} times); the first {self.keep} tokens are worth keeping"


class LoopGuard:
    """Watches one answer. `push` each token; a report means stop."""

    def __init__(self, token_bytes: Callable[[int], bytes] | None = None, *, limits: LoopLimits | None = None) -> None:
        """
        Args:
            token_bytes: what a token spells, for tokens pushed without text.
            limits: how much repetition is still believed.
        """
        self.limits = limits or LoopLimits()
        self._token_bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._periods = _Periods(self.limits)
        self._rows = _Rows(self.limits)
        self._texts: list[str] = []

    def push(self, token_id: int, text: str | None = None) -> LoopReport | None:
        """Note one more token of the answer.

        Args:
            token_id: the token.
            text: what it adds to the answer's text. Where neither this nor `token_bytes` is given, only the
                first sign is seen, by the limits of tables.
        """
        if text is None and self._token_bytes is not None:
            text = self._decoder.decode(self._token_bytes(token_id))
        if text is not None:
            self._texts.append(text)
        period = self._periods.push(token_id, self._texts)
        return period or (None if text is None else self._rows.push(text, self._periods.length))


class _Periods:
    """For every period p, for how many tokens the answer has repeated what stood p tokens before.

    Tokens a b c b c b: at the end run[2] is 3, for the last three tokens equal those two before them.
    Kept for blocks of tokens at once, which costs a microsecond per token and delays a report by up to a block.
    """

    def __init__(self, limits: LoopLimits) -> None:
        self.limits = limits
        self.length = 0
        self._sizes = np.arange(1, limits.max_period + 1)
        self._runs = np.zeros(limits.max_period, dtype=np.int64)
        self._past = np.full(limits.max_period, -1, dtype=np.int64)
        self._block: list[int] = []
        self._least = min(limits.single_tokens, limits.prose_tokens)

    def push(self, token_id: int, texts: list[str]) -> LoopReport | None:
        self._block.append(token_id)
        self.length += 1
        if len(self._block) < _BLOCK:
            return None
        self._extend(np.array(self._block))
        self._block.clear()
        filled = self._runs + self._sizes
        for p in self._sizes[(filled >= self._least) & (filled >= 2 * self._sizes)].tolist():
            run = int(filled[p - 1])
            if self._is_loop(p, run, "".join(texts[-p:])):
                return LoopReport("tokens", p, run // p, self.length - run + p)
        return None

    def _extend(self, block: np.ndarray) -> None:
        """Lengthen the runs by a block: `equal[i, p - 1]` says whether token i equals the one p before it."""
        size = self.limits.max_period
        history = np.concatenate([self._past, block])
        before = np.lib.stride_tricks.sliding_window_view(history[:-1], size)[:, ::-1]
        equal = before == block[:, None]
        whole = equal.all(axis=0)
        trailing = np.argmin(equal[::-1], axis=0)  # tokens since the last mismatch
        self._runs = np.where(whole, self._runs + len(block), trailing)
        self._past = history[-size:]

    def _is_loop(self, period: int, run: int, text: str) -> bool:
        limits = self.limits
        if period == 1:
            return run >= limits.single_tokens
        if run >= limits.longest:
            return True
        if looks_tabular(text):
            return run >= limits.table_tokens and run >= limits.table_repeats * period
        return run >= limits.prose_tokens and run >= limits.prose_repeats * period


_ROW_END = re.compile(r"\n|</(?:tr|p|li|div|h\d)>|\}|(?<!\d)[.!?。！？](?=\s)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class _Rows:
    """Rows of text: lines, table rows, list objects, sentences."""

    def __init__(self, limits: LoopLimits) -> None:
        self.limits = limits
        self._open = ""
        self._seen: Counter[str] = Counter()
        self._stale_rows = 0
        self._stale_since = 0
        self._template = ""
        self._numbers: list[float] = []
        self._steps: list[float] = []
        self._streak = 0
        self._streak_since = 0

    def push(self, text: str, length: int) -> LoopReport | None:
        self._open += text
        if _ROW_END.search(self._open, max(0, len(self._open) - len(text) - 6)) is None:
            return None
        *rows, self._open = _ROW_END.split(self._open)
        for row in rows:
            if len(stripped := row.strip()) > 1:
                report = self._stale(stripped, length) or self._counting(stripped, length)
                if report is not None:
                    return report
        return None

    def _stale(self, row: str, length: int) -> LoopReport | None:
        """A row counts as new until its fourth time: receipts come in copies, songs have refrains."""
        self._seen[row] += 1
        if self._seen[row] <= 3:
            self._stale_rows, self._stale_since = 0, length
            return None
        self._stale_rows += 1
        limits = self.limits
        limit = limits.stale_table_tokens if looks_tabular(row) else limits.stale_prose_tokens
        stale = length - self._stale_since
        if stale < (limit if self._stale_rows >= limits.prose_repeats else 2 * limit):
            return None
        return LoopReport("rows", 0, self._stale_rows, self._stale_since)

    def _counting(self, row: str, length: int) -> LoopReport | None:
        template = _NUMBER.sub("#", row)
        numbers = [float(number) for number in _NUMBER.findall(row)]
        steps = [round(b - a, 6) for a, b in zip(self._numbers, numbers, strict=False)]
        goes_on = template == self._template and any(steps) and (self._streak == 1 or steps == self._steps)
        if not goes_on:
            self._streak, self._streak_since = 1, length
        else:
            self._streak += 1
        self._template, self._numbers, self._steps = template, numbers, steps
        if self._streak < self.limits.counting_rows:
            return None
        return LoopReport("counting", 0, self._streak, self._streak_since)


_CELLS = re.compile(r"</?t[dhr]\b|\||\t|&")


def looks_tabular(text: str) -> bool:
    """Whether a repeated piece is one of a table or a list of numbers rather than of prose. Unknown text is."""
    if not text or _CELLS.search(text) is not None:
        return True
    letters = sum(map(str.isalpha, text))
    return letters * 4 < len(text.strip())
