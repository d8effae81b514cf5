"""Results in the shapes of other tools and notebooks, and labels of many scripts."""

import io

import pytest
from PIL import Image

from viewfinder.errors import MediaError
from viewfinder.media.image import load_image
from viewfinder.messages import MediaInfo, Reply
from viewfinder.outputs.boxes import Box
from viewfinder.outputs.draw import draw
from viewfinder.outputs.lettering import Lettering
from viewfinder.outputs.points import Point
from viewfinder.outputs.results import Found

SIZE = (100, 100)
INFO = MediaInfo(kind="image", original_size=SIZE, resized_size=SIZE, grid_thw=(1, 4, 4), tokens=4, transform={})
REPLY = Reply(text="", media=(INFO,))
BOX = Box(10, 10, 30, 50, "cup", 0.5)


def test_shapes_of_other_tools() -> None:
    found = Found([BOX, Box(0, 0, 10, 10, "pan")], REPLY)
    coco = found.to_coco("a.png")
    assert [one["bbox"] for one in coco["annotations"]] == [[10, 10, 20, 40], [0, 0, 10, 10]]
    assert coco["images"][0] == {"id": 1, "file_name": "a.png", "width": 100, "height": 100}
    assert found.to_yolo().splitlines()[0] == "0 0.200000 0.300000 0.200000 0.400000"  # the example of the docstring
    assert found.to_yolo(["pan", "cup"]).split()[0] == "1"
    (prediction,) = found.to_label_studio("/data/a.png")["predictions"]
    assert prediction["result"][0]["value"] == {
        "x": 10, "y": 10, "width": 20, "height": 40, "rotation": 0, "rectanglelabels": ["cup"]
    }  # fmt: skip
    assert Found([Point(50, 20, "p")], REPLY).to_label_studio("u")["predictions"][0]["result"][0]["value"]["y"] == 20


def test_a_notebook_shows_the_picture_when_it_is_known() -> None:
    picture = load_image(Image.new("RGB", SIZE, "white"))
    png = Found([BOX], REPLY, picture)._repr_png_()
    assert png is not None
    colors = Image.open(io.BytesIO(png)).convert("RGB").getcolors(10**6) or []
    assert len(colors) > 2
    assert "data:image/png" in Found([BOX], REPLY, picture)._repr_html_()
    without = Found([BOX], REPLY)
    assert without._repr_png_() is None
    assert "cup" in without._repr_html_()
    with pytest.raises(MediaError, match="does not hold its picture"):
        without.draw()


@pytest.mark.parametrize("word", ["город", "نور", "नगर", "עיר", "城市", "봄"])
def test_labels_of_other_scripts_are_no_row_of_equal_boxes(word: str) -> None:
    """Each letter is drawn in a font that has it, so different letters look different."""
    runs = Lettering(24)._runs(word)
    assert {part for _, part in runs}
    assert len({font.path for font, _ in runs}) == 1
    missing = Lettering(24)._runs("\U0010ffff")[0][0]
    assert runs[0][0].path != missing.path or word == "город"


def test_nothing_found_the_total_and_a_legend_are_on_the_picture() -> None:
    plain = Image.new("RGB", (800, 600), "white")
    assert draw(plain, []).getbbox()
    assert draw(plain, []).tobytes() != plain.tobytes()
    assert draw(plain, [], note="").tobytes() == plain.tobytes()
    one = draw(plain, [Box(300, 300, 400, 400, "a")])
    two = draw(plain, [Box(300, 300, 400, 400, "a"), Box(500, 300, 600, 400, "b")])
    corner = (0, 0, 60, 20)
    assert one.crop(corner).tobytes() == plain.crop(corner).tobytes()
    assert two.crop(corner).tobytes() != plain.crop(corner).tobytes()
