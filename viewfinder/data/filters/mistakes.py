"""Preference pairs of a model's own mistakes (for DPO; report, section 2.3): the truth is chosen, the mistake rejected.

Such a pair shows the model an answer that it really gives, in the form that was asked for, and wrong. What it already
answers rightly teaches nothing and is dropped.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from math import dist
from typing import Any, ClassVar

from viewfinder.data.filters.rejection import same_answer, try_sampling
from viewfinder.data.places import ModelView, original_of, rewrite
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample, say
from viewfinder.errors import DataError, ViewfinderError
from viewfinder.media.transform import Transform
from viewfinder.messages import ChatModel, Reply, Sampling
from viewfinder.outputs.actions import parse_action
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.points import parse_points

ALIKE = 0.8
"""Texts and pages whose characters agree to this share are too near for a pair."""
NEAR = 0.05
"""Points are the same within this share of the picture's diagonal."""


class Mistakes:
    """Gives a sample a wrong answer of the model as its `rejected` turn, or drops it.

    Args:
        model: whose mistakes are collected: the one that is going to be trained.
        samples: tries; the first wrong one is taken.
        temperature: of the tries.
        max_new_tokens: answers that do not end by then are no pairs.
    """

    name, version = "mistakes", 1
    models: ClassVar = ("model",)

    def __init__(self, model: ChatModel, samples: int = 2, temperature: float = 0.7, max_new_tokens: int = 256) -> None:
        self.model, self.samples = model, samples
        self.temperature, self.max_new_tokens = temperature, max_new_tokens

    def __call__(self, sample: Sample) -> Iterable[Sample | Bad]:
        asked = self._question(sample)
        right = 0
        for k in range(self.samples):
            draw = try_sampling(sample, k, self.max_new_tokens, self.temperature)
            reply = self.model.chat(asked.messages[:-1], tools=asked.tools, sampling=draw)
            shown = _transforms(sample, reply)
            said = _in_original(sample, reply.text, shown) if reply.finish_reason == "stop" else None
            if said is None:
                continue
            if is_wrong(sample, said, [original_of(one) for one in shown]):
                return [replace(sample, rejected=say("assistant", said), tags=(*sample.tags, "mistake"))]
            right += 1
        why = f"{right} are right, {self.samples - right} have no end or another form"
        return [Bad(f"mistakes: of {self.samples} tries {why}", sample.id)]

    def _question(self, sample: Sample) -> ModelView:
        """The sample as the model must be asked; how it sees the media is learnt by asking for one token."""
        if sample.device is None and not any(sample.forms[: len(sample.messages) - 1]):
            return ModelView(sample.messages, (), ())
        after = _transforms(sample, self.model.chat(sample.messages[:-1], sampling=Sampling(max_new_tokens=1)))
        return rewrite(sample, [original_of(one) for one in after], after)


def _transforms(sample: Sample, reply: Reply) -> list[Transform]:
    """How the model saw each medium."""
    if len(reply.media) != len(sample.media):
        raise DataError(
            f"the model told how it saw {len(reply.media)} of {len(sample.media)} media, so its places mean nothing in "
            "the originals; use a model that runs here"
        )
    return [Transform.from_dict(info.transform) for info in reply.media]


def _in_original(sample: Sample, text: str, shown: Sequence[Transform]) -> str | None:
    """An answer with its places in pixels of the original; None when it is not of the sample's form."""
    given = replace(sample, messages=(*sample.messages[:-1], say("assistant", text)), rejected=None)
    try:
        return rewrite(given, shown, [original_of(one) for one in shown]).messages[-1].text
    except ViewfinderError:
        return None


def is_wrong(sample: Sample, said: str, screens: Sequence[Transform]) -> bool:
    """Whether an answer, with its places in pixels of the originals, is clearly another than the sample's own.

    Boxes are the same from an IoU of a half, points and places of actions within `NEAR`, short answers as numbers or
    words, longer ones and pages from `ALIKE`.
    """
    form, _, number = sample.form_of(len(sample.messages) - 1).partition("@")
    true = sample.answer
    if said.strip() == true.strip():
        return False
    if form in ("", "html", "inline"):
        alike = SequenceMatcher(None, true.casefold(), said.casefold(), autojunk=False).ratio()
        return alike < ALIKE if len(true) > _SHORT else not same_answer(said, true)
    screen = screens[int(number or 0)]
    reach = NEAR * dist((0, 0), screen.original_size)
    if form == "action":
        return _other_action(true, said, screen, reach)
    if form.startswith("points"):
        one, other = parse_points(true, screen), parse_points(said, screen)
        return not _paired(one, other, lambda a, b: dist(a.xy, b.xy) <= reach)
    return not _paired(parse_boxes(true, screen), parse_boxes(said, screen), lambda a, b: a.overlap(b) >= 0.5)


_SHORT = 24
"""Characters; answers up to here are right or wrong as a whole."""


def _paired(true: Sequence[Any], said: Sequence[Any], same: Callable[[Any, Any], bool]) -> bool:
    """Whether each has its own counterpart of the same label, none left over."""
    left = list(said)
    for one in true:
        match = next((other for other in left if other.label == one.label and same(one, other)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _other_action(true: str, said: str, screen: Transform, reach: float) -> bool:
    one = parse_action(true, screen)
    try:
        other = parse_action(said, screen)
    except ViewfinderError:
        return True  # words instead of a call
    for place, given in ((one.coordinate, other.coordinate), (one.coordinate2, other.coordinate2)):
        if (place is None) != (given is None) or (place and given and dist(place, given) > reach):
            return True
    rest = {"coordinate": None, "coordinate2": None, "clamped": False}
    return replace(one, **rest) != replace(other, **rest)
