"""What to draw on a picture of shapes and text: how many things, how large, with which fonts."""

from dataclasses import dataclass, field

from viewfinder.data.synth.fonts import FontFamily, find_families


@dataclass(frozen=True)
class SceneStyle:
    """What to draw.

    Attributes:
        things, lines: smallest and largest number of shapes and of text lines.
        thing_size: smallest and largest width of a shape, as a share of the shorter side.
        text_size: smallest and largest font size in pixels per em.
        max_chars: longest line.
        pairs: "train" leaves out the held-out shape and color pairs, "held_out" draws only those, "all" any.
        families: fonts to draw with.
        repeat: probability that a new shape copies the kind or the color of an earlier one.
        plain: probability of a page, black on white.
        block: probability that the lines stand under one another, in one font from one left edge.
        spaced: probability that a line stands letter by letter on the grid of patches, more or less exactly.
            A tower that never saw letters learns them there first: the same letter gives the same patch.
    """

    things: tuple[int, int] = (0, 5)
    lines: tuple[int, int] = (0, 2)
    thing_size: tuple[float, float] = (0.1, 0.55)
    text_size: tuple[int, int] = (13, 34)
    max_chars: int = 16
    pairs: str = "train"
    families: tuple[FontFamily, ...] = field(default_factory=find_families)
    repeat: float = 0.45
    plain: float = 0.1
    block: float = 0.0
    spaced: float = 0.0
