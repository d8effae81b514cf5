"""The picture that is being drawn on: its ground, its inks, and which places are taken."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from viewfinder.data.synth.shapes import COLORS

PixelRectangle = tuple[int, int, int, int]
"""x1, y1, x2, y2: outer corners, in pixels of the picture."""


@dataclass(frozen=True)
class Ground:
    """A picture with a ground of one color; `ink` are the colors text may have, `taken` where something stands."""

    image: Image.Image
    background: str
    ink: Sequence[str]
    taken: list[PixelRectangle] = field(default_factory=list)

    def contrasting(self, rng: np.random.Generator, colors: Sequence[str], least: float) -> str | None:
        """One of the colors that differ from the ground by at least so much, in all channels together."""
        base = np.array(COLORS[self.background], float)
        fit = [c for c in colors if np.abs(np.array(COLORS[c]) - base).sum() >= least]
        return fit[int(rng.integers(len(fit)))] if fit else None

    def is_free(self, box: PixelRectangle, margin: int) -> bool:
        x, y, right, bottom = box
        return all(
            right + margin <= a or c + margin <= x or bottom + margin <= b or d + margin <= y
            for a, b, c, d in self.taken
        )

    def take_place(self, rng: np.random.Generator, size: tuple[int, int], margin: int) -> tuple[int, int] | None:
        """A random corner where `size` fits without touching what is there; None after a few tries."""
        for _ in range(12):
            room = (self.image.width - size[0], self.image.height - size[1])
            if min(room) < 0:
                return None
            x, y = int(rng.integers(room[0] + 1)), int(rng.integers(room[1] + 1))
            box = (x, y, x + size[0], y + size[1])
            if self.is_free(box, margin):
                self.taken.append(box)
                return x, y
        return None
