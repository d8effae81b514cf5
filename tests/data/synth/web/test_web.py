from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tests.data.synth.pixels import Corners, background, changed, distance, measured, off_by
from viewfinder.data.synth.documents.pages import answer_html
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.web import browser as browser_module
from viewfinder.data.synth.web import forms, kits, pages
from viewfinder.data.synth.web.browser import close
from viewfinder.data.synth.web.forms import render_form
from viewfinder.data.synth.web.pages import render_page
from viewfinder.outputs.document.document import Document

Drawn = tuple[Image.Image, list[Corners]]
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


def _hidden(draw: Callable[[], Drawn], number: int) -> Drawn:
    """What `draw` draws when element `number` of its HTML is there but not to be seen."""

    def show_less(html: str, size: tuple[int, int]) -> browser_module.Shown:
        parts = html.split(" data-kind=")
        head, tail = " data-kind=".join(parts[: number + 1]), " data-kind=".join(parts[number + 1 :])
        return browser_module.show(f"{head} style='visibility:hidden' data-kind={tail}" if tail else html, size)

    with pytest.MonkeyPatch.context() as patch:
        for module in (forms, kits, pages):
            patch.setattr(module, "show", show_less)
        return draw()


def _form(seed: int) -> Drawn:
    screen = forms.render_form(np.random.default_rng(seed), OPTIONS)
    return screen.image, [w.box for w in screen.widgets if not w.focused]  # a focused one has a ring around


def _kit(theme: str) -> Callable[[int], Drawn]:
    def draw(seed: int) -> Drawn:
        screen = kits.render(np.random.default_rng(seed), OPTIONS, theme)
        return screen.image, [w.box for w in screen.widgets if not w.focused]

    return draw


def _page(seed: int) -> Drawn:
    page = pages.render_page(np.random.default_rng(seed), OPTIONS)
    return page.image, [e.box for e in page.elements if e.box is not None]


@pytest.mark.parametrize("draw", [_form, _kit("flatly"), _kit("cosmo"), _page], ids=["form", "flatly", "cosmo", "page"])
def test_boxes_are_those_of_what_vanishes_with_the_element(draw: Callable[[int], Drawn]) -> None:
    compared = 0
    for seed in (1, 2):
        image, boxes = draw(seed)
        others = (_hidden(lambda seed=seed: draw(seed), number)[0] for number in range(len(boxes) + 4))
        found = [box for other in others if other.size == image.size and (box := changed(image, other)) is not None]
        for box in boxes:
            assert distance(box, found) <= 1, (seed, box, found)
            compared += 1
        x1, y1, x2, y2 = boxes[0]
        assert distance((x1 + 2, y1, x2 + 2, y2), found) > 1
    assert compared >= 5


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


def test_others_may_open_a_browser_of_theirs_beside_it() -> None:
    from playwright.sync_api import sync_playwright

    browser_module.show("<html><head></head><body>words</body></html>", (200, 200))
    with sync_playwright() as tool:
        assert tool.chromium.name == "chromium"
