import numpy as np
import pytest

from tests.data.synth.pixels import background, measured, off_by
from viewfinder.data.synth.documents.pages import answer_html, ask, make, set_page
from viewfinder.data.synth.kinds import Options
from viewfinder.outputs.document.document import Document
from viewfinder.outputs.document.elements import Heading

EASY = Options(max_side=280, difficulty=0.1)
HARD = Options(min_side=300, max_side=800, difficulty=1.0)


@pytest.mark.parametrize("options", [EASY, HARD])
def test_boxes_are_those_of_the_ink(options: Options) -> None:
    compared = 0
    for seed in range(10):
        page = set_page(np.random.default_rng(seed), options)
        ground = background(page.image)
        for element in page.elements:
            if element.box is None or (isinstance(element, Heading) and element.box[1] < 40):
                continue  # a head may stand on a bar of color
            found = measured(page.image, element.box, ground, reach=1)
            assert found is not None
            assert off_by(found, element.box) <= 1, (seed, element)
            compared += 1
    assert compared > 15


@pytest.mark.parametrize("options", [EASY, HARD])
def test_a_page_is_read_back_from_its_answer(options: Options) -> None:
    for seed in range(10):
        page = set_page(np.random.default_rng(seed), options)
        (read,) = Document.from_html(answer_html(page, captions=True), page.frame).pages
        assert read.elements == page.elements
        assert not read.repairs


def test_elements_do_not_share_pixels() -> None:
    for seed in range(8):
        page = set_page(np.random.default_rng(seed), HARD)
        boxes = [element.box for element in page.elements if element.box]
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_lines_hold_the_words_of_the_elements() -> None:
    for seed in range(8):
        page = set_page(np.random.default_rng(seed), EASY)
        said = " ".join(e.text for e in page.elements if e.kind in ("paragraph", "heading", "list"))
        assert " ".join(line.text for line in page.lines).split() == said.split()


def test_layouts_and_fonts_of_the_splits_differ() -> None:
    for split in ("train", "held_out"):
        samples = [make(np.random.default_rng(s), Options(split=split, difficulty=0.1)) for s in range(10)]
        assert len({s.answer for s in samples}) == 10
    page = set_page(np.random.default_rng(3), Options(split="held_out"))
    assert ask(np.random.default_rng(0), page).answer
