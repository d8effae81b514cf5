"""Boxes against pixels alone: a thing is drawn again in another color, and what changed is where its ink is.

Nothing here asks the generator or a font where something stands. `Recolor` lets every drawing call but one through and
gives that one other colors; the two pictures differ exactly by the ink of that call.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.data.synth.pixels import Corners, changed, distance
from viewfinder.data.synth import collage
from viewfinder.data.synth.charts.drawn import draw_chart
from viewfinder.data.synth.charts.figures import draw_figures
from viewfinder.data.synth.documents.forms import draw_form
from viewfinder.data.synth.documents.invoices import draw_invoice
from viewfinder.data.synth.documents.lettering import Faces
from viewfinder.data.synth.documents.pages import set_page
from viewfinder.data.synth.documents.receipts import draw_receipt
from viewfinder.data.synth.documents.sheet import Sheet
from viewfinder.data.synth.documents.values import leaves
from viewfinder.data.synth.fonts import find_families
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.photos import wall
from viewfinder.data.synth.scene import make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.data.synth.screens.screens import draw_screen
from viewfinder.data.synth.writing.lines import draw_lines

Drawn = tuple[Image.Image, list[tuple[str, Corners]]]
"""A picture and the boxes it is said to hold, each of one drawing call."""


@contextmanager
def recolored(number: int) -> Iterator[list[int]]:
    """Call `number` of all that put ink on a picture draws in another color; gives how many there were."""
    count = [0]
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((ImageDraw.ImageDraw, "text"), (ImageDraw.ImageDraw, "rectangle"), (Image.Image, "paste")):
            patch.setattr(owner, name, _other(getattr(owner, name), count, number))
        yield count


def _other(call: Callable[..., Any], count: list[int], number: int) -> Callable[..., Any]:
    inside = [False]

    def wrapped(self: Any, first: Any, *args: Any, **options: Any) -> Any:
        mode = self.mode
        if inside[0] or mode != "RGB":  # masks, and drawing that uses drawing
            return call(self, first, *args, **options)
        if count[0] == number:
            if isinstance(first, Image.Image):
                first = _shifted(first)
            elif call.__name__ == "paste":
                first = _moved(first)
            elif options.get("fill") is not None:
                options["fill"] = _moved(options["fill"])
        count[0] += 1
        inside[0] = True
        try:
            return call(self, first, *args, **options)
        finally:
            inside[0] = False

    return wrapped


_OTHER = [value + 90 if value < 128 else value - 90 for value in range(256)]


def _moved(color: Any) -> Any:
    return tuple(_OTHER[c] for c in color[:3])


def _shifted(image: Image.Image) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    other = image.convert("RGB").point(_OTHER * 3)
    if alpha is not None:
        other.putalpha(alpha)
    return other


def ink(draw: Callable[[], Drawn]) -> list[Corners]:
    """The boxes of all drawing calls of a picture, from pixels."""
    with recolored(-1) as count:
        plain, _ = draw()
    found = []
    for number in range(count[0]):
        with recolored(number):
            other, _ = draw()
        if other.size == plain.size and (box := changed(plain, other)) is not None:
            found.append(box)
    return found


# What is drawn


def scene(seed: int) -> Drawn:
    families = find_families()
    made = make_scene(
        np.random.default_rng(seed), (196, 168), SceneStyle(things=(2, 4), lines=(1, 2), families=families)
    )
    named = [(thing.shape, thing.box) for thing in made.things]
    return made.image, named + [(line.text, line.box) for line in made.lines]


def objects(seed: int) -> Drawn:
    made = collage.make_collage(np.random.default_rng(seed), Options(min_side=200, max_side=260, difficulty=0.0))
    return made.image, [(one.name, one.box) for one in made.objects]


def photographs(seed: int) -> Drawn:
    made = wall.hang(np.random.default_rng(seed), Options(min_side=200, max_side=300, difficulty=0.0))
    return made.image, [(one.name, one.box) for one in made.objects]


def words(seed: int) -> Drawn:
    image, lines = draw_lines(np.random.default_rng(seed), Options(max_side=252, difficulty=0.3))
    return image, [(line.text, line.box) for line in lines]


def page(seed: int) -> Drawn:
    made = set_page(np.random.default_rng(seed), Options(max_side=280, difficulty=0.2))
    return made.image, [(line.text, line.box) for line in made.lines]


def bill(generator: Callable[..., Any]) -> Callable[[int], Drawn]:
    def draw(seed: int) -> Drawn:
        made = generator(np.random.default_rng(seed), Options(max_side=280, difficulty=0.3))
        named = [(path, leaf) for path, leaf in leaves(made.values)]
        return made.image, [(path, leaf.box) for path, leaf in named if not isinstance(leaf.value, bool)]

    return draw


def screen(seed: int) -> Drawn:
    made = draw_screen(np.random.default_rng(seed), Options(max_side=280, difficulty=0.3))
    return made.image, [(w.called, w.box) for w in made.widgets if w.role == "icon"]


def bars(seed: int) -> Drawn:
    rng = np.random.default_rng(seed)
    sheet = Sheet((300, 220), (255, 255, 255), (0, 0, 0))
    figures = draw_figures(rng, 0.3, False, ("bar",))
    chart = draw_chart(rng, sheet, (6, 6, 294, 214), figures, Faces(None, None, None), 11)
    return sheet.image, [(str(place), box) for place, box in chart.marks.items()]


KINDS: dict[str, tuple[Callable[[int], Drawn], int]] = {
    "scene": (scene, 3), "objects": (objects, 4), "photographs": (photographs, 4), "words": (words, 3),
    "page": (page, 3), "receipt": (bill(draw_receipt), 2), "form": (bill(draw_form), 2),
    "invoice": (bill(draw_invoice), 2), "screen": (screen, 4), "bars": (bars, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", list(KINDS))
def test_boxes_are_tight_to_a_pixel(name: str) -> None:
    draw, count = KINDS[name]
    compared = 0
    for seed in range(count):
        _, named = draw(seed)
        found = ink(lambda seed=seed: draw(seed))
        for thing, box in named:
            assert distance(box, found) <= 1, (seed, thing, box, found)
            compared += 1
    assert compared >= 4


def test_a_box_two_pixels_off_is_noticed() -> None:
    found = ink(lambda: words(0))
    for _, (x1, y1, x2, y2) in words(0)[1]:
        assert distance((x1 + 2, y1, x2 + 2, y2), found) > 1
        assert distance((x1, y1 - 2, x2, y2), found) > 1
