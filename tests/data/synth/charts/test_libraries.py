from importlib.util import find_spec

import numpy as np
import pytest

from viewfinder.data.synth.charts.figures import draw_figures

if missing := [n for n in ("matplotlib", "pygal", "resvg_py", "vl_convert") if find_spec(n) is None]:
    pytest.skip(f"{', '.join(missing)} is not installed; pip install 'viewfinder[data]'", allow_module_level=True)

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
