"""How applications look: colors, sizes and layouts, drawn from a seed; some never in training.

The split decides which palettes, corner radii and layouts can come, so a test screen never has a look that was
trained on.
"""

from dataclasses import dataclass

import numpy as np

from viewfinder.agent.worlds.words import Split

Color = tuple[int, int, int]

_PALETTES: dict[Split, tuple[tuple[str, ...], ...]] = {
    "train": (  # background, surface, ink, accent, ink on the accent, line
        ("#f5f6f8", "#ffffff", "#20242c", "#1a5fcd", "#ffffff", "#c9ced8"),
        ("#ffffff", "#f1f1f1", "#111111", "#0a7d28", "#ffffff", "#bbbbbb"),
        ("#1e1f24", "#2b2d34", "#e8e8ea", "#7aa2f7", "#10131a", "#4a4d57"),
        ("#fdf6e3", "#fffaf0", "#3b3a32", "#b35900", "#ffffff", "#d8cba5"),
        ("#e9eef0", "#fafcfc", "#1d2b2f", "#00707f", "#ffffff", "#a9bbc0"),
        ("#d6d3ce", "#ece9e4", "#000000", "#0a246a", "#ffffff", "#808080"),
        ("#fff0f3", "#ffffff", "#40202a", "#b3124c", "#ffffff", "#e3b8c4"),
        ("#101418", "#1b2229", "#d7dde3", "#35b37e", "#06130d", "#3a444e"),
    ),
    "test": (
        ("#f3effa", "#ffffff", "#2a2140", "#6a3bc0", "#ffffff", "#c9bce3"),
        ("#eaf3e6", "#f9fcf7", "#1f2d18", "#c43c1c", "#ffffff", "#b4c8a9"),
        ("#15213a", "#21304f", "#e6ecf7", "#f2b134", "#1a1406", "#41547c"),
    ),
}
_RADII: dict[Split, tuple[float, ...]] = {"train": (0.0, 0.25, 0.5), "test": (0.12, 0.9)}
_LAYOUTS: dict[Split, tuple["Layout", ...]]


@dataclass(frozen=True)
class Layout:
    """Where things stand: the menu below or above; fields under or beside their labels; rows from the left or right."""

    menu_below: bool = False
    labels_beside: bool = False
    from_right: bool = False


_LAYOUTS = {
    "train": (Layout(), Layout(menu_below=True), Layout(labels_beside=True), Layout(from_right=True)),
    "test": (Layout(True, True), Layout(False, True, True), Layout(True, False, True)),
}


@dataclass(frozen=True)
class Skin:
    """One look.

    Attributes:
        background, surface, ink, accent, on_accent, line: `#rrggbb`.
        radius: of corners, in heights of a line of text.
        size: of text, pixels; `gap` between widgets, in sizes.
    """

    background: str
    surface: str
    ink: str
    accent: str
    on_accent: str
    line: str
    radius: float
    size: int
    gap: float
    layout: Layout


def draw_skin(rng: np.random.Generator, split: Split, width: int) -> Skin:
    """A look for a screen of `width` pixels."""
    palettes, radii, layouts = _PALETTES[split], _RADII[split], _LAYOUTS[split]
    palette = palettes[int(rng.integers(len(palettes)))]
    base = 11 if width < 400 else 15
    return Skin(
        *palette,
        radius=radii[int(rng.integers(len(radii)))],
        size=base + int(rng.integers(0, 3)),
        gap=float(rng.uniform(0.3, 0.7)),
        layout=layouts[int(rng.integers(len(layouts)))],
    )
