"""From the text of an answer, piece by piece, to words and calls of tools whose arguments come as they are written.

    I tap.\\n<tool_call>\\n{"name": "tap", "arguments": {"x": 1}}\\n</tool_call>
    ^ words, shown              ^ a call begins       ^ its arguments, passed on character by character

A call in another form than that of the checkpoints is held until its end and read tolerantly.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from viewfinder.outputs.tool_calls import CLOSING, OPENING, split_tool_calls

_HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{)')
_LONGEST_HEAD = 1000


@dataclass(frozen=True)
class CallStart:
    """The next call of the answer."""

    name: str


@dataclass(frozen=True)
class Arguments:
    """More of the last call's arguments, as the model wrote them."""

    text: str


Piece = str | CallStart | Arguments
"""A `str` is words."""


class ToolReader:
    """One answer.

    Attributes:
        is_open: a call has begun and is not complete.
        num_calls: calls so far.
    """

    def __init__(self, names: Collection[str], most: int | None = None) -> None:
        """`names` of tools that exist; without any, all is words. `most` calls are given out."""
        self._names, self._most = names, most
        self._held = ""
        self._state = "words"
        self._depth, self._quoted, self._escaped = 0, False, False
        self.num_calls = 0
        self._whole = ""

    @property
    def is_open(self) -> bool:
        return self._state == "arguments"

    def push(self, text: str) -> Iterator[Piece]:
        """What is known now."""
        if not self._names:
            if text:
                yield text
            return
        self._whole += text
        self._held += text
        state = ""
        while state != self._state:  # each state goes on with what the one before left
            state = self._state
            yield from getattr(self, f"_{state}")()

    def finish(self, cut: bool) -> Iterator[Piece]:
        """What was held to the end; `cut` where the answer was not finished, so that a call may be broken."""
        held, self._held = self._held, ""
        if not self._names or self.is_open or self._state == "after":
            return
        if self._state == "words" and (self.num_calls or held):
            yield from [held] if held else []
            return
        _words, calls = split_tool_calls(held or self._whole)
        known = [call for call in calls if call.name in self._names]
        for call in known[: self._left]:
            yield self._begun(call.name)
            yield Arguments(json.dumps(call.arguments, ensure_ascii=False))
        if not known and held and not cut:
            yield held

    @property
    def _left(self) -> int | None:
        return None if self._most is None else self._most - self.num_calls

    def _begun(self, name: str) -> CallStart:
        self.num_calls += 1
        return CallStart(name)

    def _words(self) -> Iterator[Piece]:
        at = self._held.find(OPENING)
        if at >= 0:
            self._state = "call"
        else:
            ends = range(min(len(OPENING) - 1, len(self._held)), 0, -1)
            at = len(self._held) - next((n for n in ends if self._held.endswith(OPENING[:n])), 0)
        shown, self._held = self._held[:at], self._held[at:]
        if self.num_calls and not shown.strip():  # the line between two calls
            return
        if shown:
            yield shown

    def _call(self) -> Iterator[Piece]:
        head = _HEAD.match(self._held[:_LONGEST_HEAD], len(OPENING))  # bounded, for it is asked at each piece
        if head is None or self._left == 0:
            return
        name = json.loads(head[1], strict=False)
        if name not in self._names:
            return
        self._held, self._state = self._held[head.end() :], "arguments"
        self._depth, self._quoted, self._escaped = 0, False, False
        yield self._begun(name)

    def _arguments(self) -> Iterator[Piece]:
        end = self._end()
        written, self._held = self._held[:end], self._held[end:] if end is not None else ""
        if end is not None:
            self._state = "after"
        if written:
            yield Arguments(written)

    def _end(self) -> int | None:
        """Where the object ends in what is held, if it does."""
        for i, char in enumerate(self._held):
            if self._quoted:
                self._quoted = self._escaped or char != '"'
                self._escaped = char == "\\" and not self._escaped
            elif char == '"':
                self._quoted = True
            elif char in "{[":
                self._depth += 1
            elif char in "}]":
                self._depth -= 1
                if self._depth == 0:
                    return i + 1
        return None

    def _after(self) -> Iterator[Piece]:
        at = self._held.find(CLOSING)
        if at >= 0:
            self._held, self._state = self._held[at + len(CLOSING) :], "words"
        else:
            self._held = self._held[1 - len(CLOSING) :]
        yield from ()
