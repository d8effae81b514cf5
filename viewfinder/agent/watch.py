"""Detects that the screen changed between the observation and the click, and that actions repeat without effect."""

import hashlib
from collections import Counter

import numpy as np

from viewfinder.media.image import Picture
from viewfinder.outputs.actions import Action

_AROUND = 14
"""Pixels around a place that must be as they were: half of the 28 that one token sees."""
_LEVELS = 24
"""Difference of 0..255 that anti-aliasing and blinking carets stay under."""


def changed_at(before: Picture, after: Picture, xy: tuple[float, float]) -> bool:
    """Whether what surrounds a place differs between two pictures of one screen, in the screen's pixels.

    Text carets and rounding do not count: over a twentieth of the surroundings must differ clearly.
    """
    if before.size != after.size:
        return True
    x, y = before.transform.to_model(xy)
    x0, y0 = max(0, int(x) - _AROUND), max(0, int(y) - _AROUND)
    one = before.pixels[y0 : int(y) + _AROUND, x0 : int(x) + _AROUND].astype(np.int16)
    other = after.pixels[y0 : int(y) + _AROUND, x0 : int(x) + _AROUND].astype(np.int16)
    return bool((np.abs(one - other).max(axis=2) > _LEVELS).mean() > 0.05) if one.size else False


def fingerprint(picture: Picture) -> str:
    """A short name of how a screen looks; blind to a caret and to noise."""
    small = picture.image.convert("L").resize((48, 48))
    return hashlib.sha256((np.asarray(small) >> 3).tobytes()).hexdigest()[:16]


class CircleGuard:
    """Counts how often the same action was taken on the same screen.

    Attributes:
        limit: so many times are a loop; one time before, it can still be said to the model.
    """

    def __init__(self, limit: int = 4) -> None:
        self.limit = limit
        self._seen: Counter[tuple[str, str]] = Counter()

    def count(self, picture: Picture, action: Action) -> int:
        """Note one action and say how many times it was by now."""
        places = [round(value / 6) for place in (action.coordinate, action.coordinate2) if place for value in place]
        name = repr((action.name, places, action.text, action.keys, action.button, action.pixels))
        key = fingerprint(picture), name
        self._seen[key] += 1
        return self._seen[key]
