"""`Rewards`: the rewards of a run with their weights, as the scorer of its rollouts.

A name is one of `by_truth`, `ended` (1 where the answer ended by itself), `schema:FILE.json` (1 where the answer obeys
a JSON schema), `FILE.py:FUNCTION` (a user's function), or `judge:MODEL` (a model by directory or URL, 0 to 1).
"""

import json
import math
import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from viewfinder.eval.judging import ask_judge
from viewfinder.messages import ChatModel
from viewfinder.outputs.loose_json import find_value
from viewfinder.recipes.rewards import by_truth
from viewfinder.recipes.rewards.cases import Case
from viewfinder.train.config import ConfigError
from viewfinder.train.rollout_loader import Score
from viewfinder.train.rollouts import Prompt, Rollout

_WORKER = Path(__file__).with_name("user_worker.py")
_LOADING = 120.0
"""Seconds in which the file must be loaded."""


class UserFunction:
    """`function(answer, about) -> number` of a file; `about` has kind, truth, question and the true answer.

    Raises:
        ConfigError: no such file, one that cannot be loaded, or no such function in it.
    """

    def __init__(self, place: str, seconds: float) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        path, _, self.name = place.rpartition(":")
        self.path, self.seconds = Path(path), seconds
        if not self.path.is_file():
            raise ConfigError(f"{place!r} names no file; give FILE.py:FUNCTION")
        first = self._start()
        late = {"error": f"{path} was not loaded within {_LOADING:g} s"}
        told = late if first is None else json.loads(first)
        if "error" in told:
            self.close()
            raise ConfigError(f"grpo.rewards names {place!r}, and {told['error']}; correct it")

    def __call__(self, answer: str, about: dict[str, Any]) -> tuple[float | None, str]:
        """The value and "", or None and the reason; a process that is late is ended, the next call has a new one."""
        line = self._ask(json.dumps({"answer": answer, "about": about}, default=str).encode() + b"\n")
        if line is None:
            self.close()
            return None, f"{self.name} gave no answer within {self.seconds:g} s, or its process ended"
        reply = json.loads(line)
        if "error" in reply:
            return None, reply["error"]
        if not math.isfinite(reply["value"]):
            return None, f"{self.name} gave {reply['value']}, which is no reward"
        return float(reply["value"]), ""

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> bytes | None:
        """The first line of a new process."""
        command = [sys.executable, str(_WORKER), str(self.path), self.name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        return _line_within(_pipe(self._process.stdout), _LOADING)

    def _ask(self, line: bytes) -> bytes | None:
        if self._process is None:
            self._start()
        assert self._process is not None
        stdin, stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        try:
            stdin.write(line)
        except BrokenPipeError:
            return None
        return _line_within(stdout, self.seconds)

    def __del__(self) -> None:
        self.close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _line_within(stream: IO[bytes], seconds: float) -> bytes | None:
    """A whole line, or None where it does not come in time."""
    until, found = time.monotonic() + seconds, b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not found.endswith(b"\n"):
            if not selector.select(max(0.0, until - time.monotonic())) or not (part := os.read(stream.fileno(), 65536)):
                return None
            found += part
    return found


NAMED: dict[str, by_truth.TruthReward] = {
    **by_truth.BY_KIND,
    "truth": by_truth.truth,
    "labeled_boxes": by_truth.labeled_boxes,
    "exact": by_truth.exact,
    "form": by_truth.form,
    "fluency": by_truth.fluency,
}
Reward = Callable[[Rollout, Case], tuple[float | None, str]]
"""A value and "", None and "" where it does not apply, None and a reason where it failed."""


class Rewards:
    """Weighted sum of rewards.

    Raises:
        ConfigError: a name that is none, or no reward at all.
    """

    def __init__(
        self, weights: Mapping[str, float], seconds: float, open_judge: Callable[[str], ChatModel] | None = None
    ) -> None:
        if not weights:
            raise ConfigError('grpo.rewards is empty, so no answer is better than another; name some: {"truth": 1.0}')
        self.weights = dict(weights)
        self._rewards = {name: _open(name, seconds, open_judge) for name in weights}

    def applies(self, case: Case) -> bool:
        """Whether a case can be scored: where only rewards of other kinds are named, its row is of no use."""
        named = [NAMED[name] for name in self.weights if name in NAMED]
        return len(named) < len(self.weights) or any(reward(case.answer, case) is not None for reward in named)

    def __call__(self, prompt: Prompt, rollouts: Sequence[Rollout]) -> list[Score]:
        return [self._score(rollout, prompt.case) for rollout in rollouts]

    def _score(self, rollout: Rollout, case: Case) -> Score:
        total, parts = 0.0, dict[str, float]()
        for name, reward in self._rewards.items():
            value, reason = reward(rollout, case)
            if reason:
                return Score(None, {}, reason)
            if value is not None:
                parts[f"reward/{name.rpartition('/')[2]}"] = value  # a file without its folder
                total += self.weights[name] * value
        return Score(total, parts) if parts else Score(None, {}, f"no reward applies to an answer of {case.kind}")


def _open(name: str, seconds: float, open_judge: Callable[[str], ChatModel] | None) -> Reward:
    if name in NAMED:
        return lambda rollout, case: (NAMED[name](rollout.text, case), "")
    if name == "ended":
        return lambda rollout, case: (float(rollout.finish == "stop"), "")
    if name.startswith("schema:"):
        return partial(_by_schema, _validator(Path(name.removeprefix("schema:"))))
    if name.startswith("judge:") and open_judge is not None:
        return partial(_by_judge, open_judge(name.removeprefix("judge:")))
    if ":" in name and name.rpartition(":")[0].endswith(".py"):
        function = UserFunction(name, seconds)
        return lambda rollout, case: function(rollout.text, {**_about(case), "finish": rollout.finish})
    raise ConfigError(
        f"grpo.rewards names {name!r}, which is no reward; there are {', '.join(NAMED)}, ended, schema:FILE.json, "
        "FILE.py:FUNCTION and judge:MODEL"
    )


def _about(case: Case) -> dict[str, Any]:
    frame = None if case.frame is None else case.frame.to_dict()
    return {**{k: v for k, v in vars(case).items() if k != "frame"}, "frame": frame}


def _validator(path: Path) -> Callable[[Any], bool]:
    try:
        from jsonschema import Draft202012Validator
    except ImportError as error:
        raise ConfigError("schema: needs jsonschema, which is not installed; pip install jsonschema") from error
    try:
        return Draft202012Validator(json.loads(path.read_text())).is_valid
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no JSON schema ({error}); correct it") from error


def _by_schema(is_valid: Callable[[Any], bool], rollout: Rollout, case: Case) -> tuple[float | None, str]:
    value = find_value(rollout.text)
    return float(value is not None and is_valid(value)), ""


def _by_judge(judge: ChatModel, rollout: Rollout, case: Case) -> tuple[float | None, str]:
    said = ask_judge(
        judge,
        "Compare an answer with the true answer to a question. Output one number: 10 where they say the same, 0 where "
        f"they do not, less than 10 where a part is missing or wrong.\nQuestion: {case.question}\n"
        f"True answer: {case.answer}\nAnswer: {rollout.text}\nNumber: ",
        max_new_tokens=16,
    )
    found = re.search(r"\d+(?:\.\d+)?", said)
    return (None, f"the judge said {said[:80]!r}, no number") if found is None else (min(1.0, float(found[0]) / 10), "")
