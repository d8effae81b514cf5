"""3. Absolute-time position ids against frame indices, over kinds of clips.

With frame indices each pair of frames is one id later than the one before, whatever time has passed, as in Qwen2-VL.
The answer then stands on the clock of indices: it is brought to seconds by the mean rate, which is all that is known
without a table of times, or by the table itself, which is the best that can be done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from viewfinder.eval.metrics import temporal_iou
from viewfinder.eval.question import Question
from viewfinder.studies import clips
from viewfinder.studies.lab import Lab, estimate
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, percent

SECONDS, COUNT = 14.0, 24
STEP = 0.25
"""Seconds between frames on the clock of indices: a pair then advances the ids by one (2 ids a second)."""
SCHEMES = ("absolute time", "index, mean rate", "index, table of times")


def _surveillance(made: Any) -> clips.Times:
    """As a camera that records where something moves, and one frame in two seconds else."""
    return clips.content_aware(made, 16, 4)


def _phone(made: Any) -> clips.Times:
    """Four frames a second, then one, as phones slow down in the dark."""
    times = [*np.arange(0, made.duration / 2, 0.25), *np.arange(made.duration / 2, made.duration, 1.0)]
    return tuple(round(float(t), 3) for t in times[: len(times) // 2 * 2])


def _cuts(made: Any) -> clips.Times:
    """Two frames a second with two stretches missing, as after an editor's cuts."""
    times = [t for t in clips.even(made.duration, 2) if not (3 <= t < 5 or 9 <= t < 11)]
    return tuple(times[: len(times) // 2 * 2])


KINDS: Mapping[str, Callable[[Any], clips.Times]] = {
    "0.5 fps": lambda made: clips.even(made.duration, 0.5),
    "1 fps": lambda made: clips.even(made.duration, 1),
    "2 fps": lambda made: clips.even(made.duration, 2),
    "4 fps": lambda made: clips.even(made.duration, 4),
    "phone": _phone,
    "cuts": _cuts,
    "surveillance": _surveillance,
}


def settings(smoke: bool) -> Sequence[Setting]:
    return [{"name": kind, "kind": kind} for kind in (list(KINDS)[::6] if smoke else KINDS)]


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    task = clips.task(f"positions {setting['kind']}", SECONDS, KINDS[setting["kind"]])
    count = lab.count(COUNT)
    asked = lab.questions(task, count)
    absolute = lab.ask(task, f"{setting['name']} absolute", count)
    index = lab.ask(task, f"{setting['name']} index", count, lambda question, rng: _by_index(question))
    values: dict[str, list[float]] = {SCHEMES[0]: [s.value for s in absolute], SCHEMES[1]: [], SCHEMES[2]: []}
    for question, scored in zip(asked, index, strict=True):
        truth, times = tuple(question.truth["span"]), question.truth["times"]
        for scheme, clock in zip(SCHEMES[1:], (_mean_rate(times), _table(times)), strict=True):
            found = scored.prediction
            values[scheme].append(temporal_iou((clock(found[0]), clock(found[1])), truth) if found else 0.0)
    return {scheme: estimate(of) for scheme, of in values.items()} | {"values": values}


def _by_index(question: Question) -> Question:
    """The same frames, each `STEP` after the one before."""
    message = question.messages[0]
    video = message.parts[0]
    times = tuple(i * STEP for i in range(len(question.truth["times"])))
    parts = (video.model_copy(update={"frame_times": times}), *message.parts[1:])
    truth = {**question.truth, "duration": len(times) * STEP}
    return replace(question, messages=(message.model_copy(update={"parts": parts}),), truth=truth)


def _mean_rate(times: Sequence[float]) -> Callable[[float], float]:
    """Indices to seconds by the mean spacing of the clip."""
    spacing = (times[-1] - times[0]) / (len(times) - 1)
    return lambda index: times[0] + index / STEP * spacing


def _table(times: Sequence[float]) -> Callable[[float], float]:
    """Indices to seconds by the time of each frame, straight between two."""
    last = times[-1] - times[-2]
    return lambda index: float(np.interp(index / STEP, range(len(times) + 1), [*times, times[-1] + last]))


def find(records: Sequence[Record]) -> Findings:
    from viewfinder.eval.metrics.intervals import paired_permutation

    pooled = {s: [v for r in records for v in r["values"][s]] for s in SCHEMES}
    even = [r for r in records if r["kind"].endswith("fps")]
    uneven = [r for r in records if r not in even]
    groups = {
        name: {s: estimate([v for r in rows for v in r["values"][s]]) for s in SCHEMES}
        for name, rows in (("even", even), ("uneven", uneven))
        if rows
    }
    chances = {s: paired_permutation(pooled[SCHEMES[0]], pooled[s]) for s in SCHEMES[1:]}
    ahead = {s: _mean(pooled[SCHEMES[0]]) - _mean(pooled[s]) for s in SCHEMES[1:]}
    answer = (
        f"Absolute-time ids overlap with {_each(groups, SCHEMES[0])}, frame indices read by the mean rate with "
        f"{_each(groups, SCHEMES[1])}, and indices read by a table of frame times with {_each(groups, SCHEMES[2])}. "
        f"Over all clips absolute time is ahead of the mean rate by {ahead[SCHEMES[1]]:.1f} points (p "
        f"{chances[SCHEMES[1]]:.2f}) and of the table by {ahead[SCHEMES[2]]:.1f} (p {chances[SCHEMES[2]]:.2f}): a "
        f"clock that is known outside of the model does {'nearly ' if abs(ahead[SCHEMES[2]]) < 3 else 'not '}as well "
        "as one inside."
    )
    kinds = [r["kind"] for r in records]
    rows = [[r["kind"], *(percent(r[s]) for s in SCHEMES)] for r in records]
    rows += [[f"all {name}", *(percent(of[s]) for s in SCHEMES)] for name, of in groups.items()]
    return Findings(
        answer,
        [
            Panel(
                "Overlap by kind of clip",
                "",
                "temporal IoU, %",
                [Series(s, kinds, [r[s] for r in records]) for s in SCHEMES],
                "bars",
                top=100,
            ),
            Panel(
                "Even and uneven clips",
                "",
                "temporal IoU, %",
                [Series(s, list(groups), [groups[g][s] for g in groups]) for s in SCHEMES],
                "bars",
                top=100,
            ),
        ],
        ["clip", *SCHEMES],
        rows,
        [
            (
                "The model was trained with absolute-time ids only; a model trained with indices could do better with "
                "them. Its index clips are, to it, clips of four frames a second."
            ),
            "Questions are English: the built-in model knows no other language. Give `--model` a checkpoint that does.",
            (
                "Slow motion and screen recordings are not drawn apart: to the ids they are an even rate and the "
                "surveillance kind."
            ),
        ],
        "",
    )


def _mean(values: Sequence[float]) -> float:
    return 100 * sum(values) / max(1, len(values))


def _each(groups: Mapping[str, Mapping[str, Sequence[float]]], scheme: str) -> str:
    return " and ".join(f"{of[scheme][0]:.0f} % in {name} clips" for name, of in groups.items())


STUDY = Study(
    3,
    "positions",
    "Absolute time against frame indices",
    "how much of moment retrieval is owed to position ids that follow true time.",
    settings,
    measure,
    find,
)
