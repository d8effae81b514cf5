"""Lengths of SVG in pt, mm and in are drawn at 96 to the inch, as CSS has it."""

import numpy as np
import pytest

from viewfinder.data.synth.objects import draw_svg


@pytest.mark.parametrize(("width", "pixels"), [("36pt", 48), ("0.5in", 48), ("12.7mm", 48), ("48", 48), ("48px", 48)])
def test_lengths_with_units(width: str, pixels: int) -> None:
    drawn = draw_svg(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="20"><rect width="{width}" height="20"/></svg>'
    )
    columns = np.flatnonzero(np.asarray(drawn)[:, :, 3].max(axis=0) > 127)
    assert len(columns) == pixels
