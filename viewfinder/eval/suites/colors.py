"""Questions for one color word: how an answer is read, and scenes whose words mislead."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from viewfinder.data.synth.scene import Scene
from viewfinder.data.synth.shapes import COLOR_NAMES
from viewfinder.eval.answer_format import AnswerFormat
from viewfinder.eval.drawn import scene
from viewfinder.eval.question import ModelAnswer, Question
from viewfinder.eval.task import Scored

_WORD = re.compile(rf"\b({'|'.join((*COLOR_NAMES, 'grey'))})\b", re.IGNORECASE)


def _read(answer: ModelAnswer, question: Question) -> str | None:
    found = _WORD.search(answer.text)
    return found[1].lower().replace("grey", "gray") if found else None


color = AnswerFormat(
    "first-colour/1", _read, lambda q, s: str(q.truth), lambda q, s, rng: rng.choice(COLOR_NAMES), lambda q, s: "red"
)
"""`truth` is a color; the first color named counts."""


def scenes_and_another(seed: int, count: int, largest: float) -> Iterator[tuple[Scene, str]]:
    """Scenes of one thing, each with a color that is neither the thing's nor the background's."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        made = scene(rng, (140, 112), thing_size=(0.35, largest), pairs="all")
        others = [c for c in COLOR_NAMES if c not in (made.things[0].color, made.background)]
        yield made, others[int(rng.integers(len(others)))]


def misled_total(scored: Sequence[Scored], misled: Sequence[Scored], name: str) -> dict[str, float]:
    """Right answers among the misled questions, the share that says the wrong color (`name`), and all, percent."""
    whole = 100 * sum(s.value for s in scored) / len(scored) if scored else 0.0
    if not misled:
        return {"score": whole}
    followed = sum(s.prediction == s.tags["said"] for s in misled)
    return {
        "score": 100 * sum(s.value for s in misled) / len(misled),
        name: 100 * followed / len(misled),
        "all": whole,
    }
