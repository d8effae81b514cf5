"""Drawings: the size is usable, the outline lies where the box is, labels keep apart."""

import pytest
from PIL import Image, ImageChops

from viewfinder.media.image import Picture
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import Box
from viewfinder.outputs.draw import PALETTE, caption, color_of, draw
from viewfinder.outputs.points import Point
from viewfinder.outputs.spans import Span
from viewfinder.outputs.timeline import timeline

GREY = (128, 128, 128)


@pytest.mark.parametrize("size", [(1, 1), (32, 20), (640, 480), (3000, 20), (20, 3000), (2000, 3000)])
def test_any_size(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, GREY)
    drawn = draw(
        image, [Box(0, 0, *size, "whole " * 40), Box(0, 0, 0, 0), Point(size[0], size[1], "end")], numbers=True
    )
    assert max(drawn.size) == max(720, *size)
    assert abs(drawn.width / drawn.height - size[0] / size[1]) < 0.02 * drawn.width / drawn.height
    assert image.getcolors() == [(size[0] * size[1], GREY)]  # the given picture is untouched


def test_the_outline_is_where_the_box_is() -> None:
    drawn = draw(Image.new("RGB", (1000, 800), GREY), [Box(200, 300, 400, 500)])
    changed = ImageChops.difference(drawn, Image.new("RGB", drawn.size, GREY)).getbbox()
    assert changed is not None
    assert all(abs(got - want) <= 4 for got, want in zip(changed, (200, 300, 400, 500), strict=True))
    assert drawn.getpixel((300, 400)) == GREY


def test_results_of_the_original_are_mapped_into_a_cropped_and_resized_picture() -> None:
    transform = Transform(original_size=(2000, 2000), resized_size=(1000, 1000), crop=(1000, 1000, 2000, 2000))
    drawn = draw(Picture(Image.new("RGB", (1000, 1000), GREY), transform), [Point(1500, 1500)])
    assert drawn.getpixel((500, 500)) == PALETTE[0]


def test_labels_are_drawn_apart() -> None:
    """Three boxes at one place: the second and third label must not cover the first."""
    image = Image.new("RGB", (800, 800), GREY)
    names = ["aaaa", "bbbb", "cccc"]
    together = draw(image, [Box(300, 300, 500, 500, name) for name in names])
    for color in PALETTE[:3]:
        pixels = sum(1 for pixel in together.get_flattened_data() if pixel == color)
        alone = draw(image, [Box(300, 300, 500, 500, "aaaa")])
        label_only = sum(1 for pixel in alone.get_flattened_data() if pixel == PALETTE[0])
        outline = sum(1 for p in draw(image, [Box(300, 300, 500, 500)]).get_flattened_data() if p == PALETTE[0])
        assert pixels >= 0.8 * (label_only - outline)


def test_colors_and_captions() -> None:
    assert color_of(["a", "b", "a"]) == [PALETTE[0], PALETTE[1], PALETTE[0]]
    assert color_of(["a", "a"]) == [PALETTE[0], PALETTE[0]]
    assert caption(Box(0, 0, 1, 1, "cat", confidence=0.874)) == "cat 87%"
    assert caption(Box(0, 0, 1, 1, text="two\nlines")) == "two lines"
    assert caption(Point(0, 0)) == ""


@pytest.mark.parametrize("count", [0, 1, 13])
def test_timeline(count: int) -> None:
    frames = [(float(i), Image.new("RGB", (64, 48), GREY)) for i in range(count)]
    sheet = timeline([Span(0, 2.5, "starts"), Span(9, 13, "ends " * 30)], 13.0, frames)
    assert sheet.width == 1200
    colors = {color for _, color in sheet.getcolors(1_000_000) or []}
    assert {PALETTE[0], PALETTE[1]} <= colors
    assert timeline([], 13.0, frames).height < sheet.height
