from dataclasses import replace

import numpy as np
import pytest

from viewfinder.data.synth.charts.figures import draw_figures
from viewfinder.data.synth.charts.libraries import DRAWERS, FORMS, HELD_OUT_LIBRARIES, LIBRARIES


@pytest.mark.parametrize("name", ["matplotlib", "pygal"])
@pytest.mark.parametrize("form", FORMS)
def test_every_library_draws_every_form(name: str, form: str) -> None:
    rng = np.random.default_rng(2)
    image = DRAWERS[name](rng, draw_figures(rng, 0.5, False, (form,)), (320, 240))
    assert image.mode == "RGB"
    assert np.asarray(image, float).std() > 10


def test_one_library_is_held_out() -> None:
    assert not set(LIBRARIES) & set(HELD_OUT_LIBRARIES)


def test_seaborn_draws_every_form_of_its_own() -> None:
    from viewfinder.data.synth.charts import seaborn_plots

    rng = np.random.default_rng(2)
    for form in seaborn_plots.FORMS:
        for difficulty in (0.0, 1.0):
            figures = draw_figures(rng, difficulty, False, (form,))
            image = seaborn_plots.draw_seaborn(rng, figures, (320, 240), "white", "deep")
            assert image.size == (320, 240)
            assert np.asarray(image, float).std() > 10


def test_bars_of_seaborn_stand_as_high_as_their_values() -> None:
    from viewfinder.data.synth.charts import seaborn_plots

    figures = replace(
        draw_figures(np.random.default_rng(4), 0.0, False, ("bar",)),
        title="", series=("",), values=((10, 20, 40),), categories=("a", "b", "c"), labelled=False, tick=10, step=5,
    )  # fmt: skip
    image = seaborn_plots.draw_seaborn(np.random.default_rng(0), figures, (300, 300), "white", "deep")
    pixels = np.asarray(image, int)
    blue = (pixels[..., 2] - pixels[..., 0] > 60).sum(axis=0)
    heights = [int(np.median(part[part > 0])) for part in np.array_split(blue, np.flatnonzero(blue == 0)) if part.any()]
    assert len(heights) == 3
    assert heights[1] / heights[0] == pytest.approx(2, abs=0.15)
    assert heights[2] / heights[0] == pytest.approx(4, abs=0.3)
