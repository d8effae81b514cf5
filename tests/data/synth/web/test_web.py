import shutil

import numpy as np
import pytest

from tests.data.synth.pixels import background, measured, off_by
from viewfinder.data.synth.documents.pages import answer_html
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.web.browser import PROGRAMS, close
from viewfinder.data.synth.web.forms import render_form
from viewfinder.data.synth.web.pages import render_page
from viewfinder.outputs.document.document import Document

pytest.importorskip("playwright")
pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, PROGRAMS)), reason="pages are rendered by Chromium (Debian: chromium), which is missing"
)
OPTIONS = Options(max_side=420, difficulty=0.3)


@pytest.fixture(autouse=True, scope="module")
def browser():  # type: ignore[no-untyped-def]
    yield
    close()


def test_elements_of_a_rendered_page_are_where_their_ink_is() -> None:
    for seed in range(5):
        page = render_page(np.random.default_rng(seed), OPTIONS)
        (read,) = Document.from_html(answer_html(page), page.frame).pages
        assert read.elements == page.elements
        for element in page.elements:
            assert element.box is not None
            around = page.image.crop(tuple(int(v) for v in element.box))
            found = measured(page.image, element.box, background(around), reach=1)
            assert found is not None
            assert off_by(found, element.box) <= 1, (seed, element)
            assert element.text


def test_a_page_is_the_same_again() -> None:
    first, second = (render_page(np.random.default_rng(4), OPTIONS) for _ in range(2))
    assert first.elements == second.elements
    assert first.image.tobytes() == second.image.tobytes()


def test_controls_of_a_form_lie_apart_and_inside() -> None:
    roles = set()
    for seed in range(6):
        screen = render_form(np.random.default_rng(seed), OPTIONS)
        for i, widget in enumerate(screen.widgets):
            x1, y1, x2, y2 = widget.box
            assert 0 <= x1 < x2 <= screen.image.width
            assert 0 <= y1 < y2 <= screen.image.height
            roles.add(widget.role)
            for other in screen.widgets[i + 1 :]:
                a = other.box
                assert x2 <= a[0] or a[2] <= x1 or y2 <= a[1] or a[3] <= y1
    assert len(roles) >= 4
