"""Fonts that look written by hand, by split."""

from pathlib import Path

import numpy as np

from viewfinder.data.synth.choose import pick
from viewfinder.data.synth.fonts import has_glyph
from viewfinder.data.synth.kinds import Split
from viewfinder.materials.shipped import fonts


def draw_hand(rng: np.random.Generator, split: Split, text: str) -> Path | None:
    """A font file with all letters of a text; None where no hand of the split has them."""
    rare = sorted({c for c in text if not c.isalnum() and c != " "})  # letters and digits are in all
    able = [font.path for font in fonts("hand", split) if all(has_glyph(font.path, c) for c in rare)]
    return pick(rng, able) if able else None
