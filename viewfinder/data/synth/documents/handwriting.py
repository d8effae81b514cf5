"""Fonts that look written by hand, by split; none installed means none is drawn."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from viewfinder.data.synth.choose import pick
from viewfinder.data.synth.fonts import FONT_DIRECTORIES
from viewfinder.data.synth.kinds import Split

_HANDS = (
    "dkg",
    "breip",
    "KaushanScript",
    "Kristi",
    "Rufscript",
    "HumorSans",
    "Humor-Sans",
    "DancingScript",
    "Joscelyn",
)
_HELD_OUT = ("Isabella", "SummersbyV", "Summersby", "LeckerliOne", "TomsonTalks", "Tomson-Talks")


@lru_cache(maxsize=4)
def find_hands(split: Split, directories: tuple[Path, ...] = FONT_DIRECTORIES) -> tuple[Path, ...]:
    """Files of hand-like fonts of a split, sorted."""
    wanted = tuple(name.lower() for name in (_HELD_OUT if split == "held_out" else _HANDS))
    files = (path for directory in directories for path in directory.rglob("*.[ot]tf"))
    return tuple(sorted(path for path in files if path.stem.lower().startswith(wanted)))


def draw_hand(rng: np.random.Generator, split: Split) -> Path | None:
    """A font file, or None where there is none."""
    files = find_hands(split)
    return pick(rng, files) if files else None
