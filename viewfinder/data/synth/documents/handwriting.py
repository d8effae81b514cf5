"""Fonts that look written by hand, by split."""

from pathlib import Path

import numpy as np

from viewfinder.data.synth.choose import pick
from viewfinder.data.synth.kinds import Split
from viewfinder.materials.shipped import fonts


def draw_hand(rng: np.random.Generator, split: Split) -> Path:
    """A font file."""
    return pick(rng, [font.path for font in fonts("hand", split)])
