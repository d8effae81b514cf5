"""Place: original to model pixels and back, through EXIF, crops and resizes."""

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from viewfinder.media.image import load_image
from viewfinder.media.resize import resize_picture, smart_resize
from viewfinder.media.transform import Transform

sides = st.integers(1, 6000)
sizes = st.tuples(sides, sides).filter(lambda s: max(s) <= 200 * min(s))
fractions = st.tuples(st.floats(0, 1), st.floats(0, 1))


def test_worked_example() -> None:
    transform = Transform((100, 50), (80, 20), crop=(20.0, 10.0, 60.0, 30.0))
    assert transform.to_model((30, 15)) == (20, 5)
    assert transform.to_original((20, 5)) == (30, 15)
    assert transform.scale == (2.0, 1.0)
    assert transform.box_to_original((0, 0, 80, 20)) == (20, 10, 60, 30)
    assert transform.box_to_model((20, 10, 60, 30)) == (0, 0, 80, 20)


@given(sizes, st.integers(3136, 1_000_000), fractions)
def test_a_whole_model_pixel_survives_the_round_trip(
    size: tuple[int, int], budget: int, at: tuple[float, float]
) -> None:
    """What the model says is a whole number of its own pixels: half of one is the most that may be lost."""
    height, width = smart_resize(size[1], size[0], max_pixels=budget)
    transform = Transform(size, (width, height))
    original = (at[0] * size[0], at[1] * size[1])
    x, y = transform.to_model(original)
    back = transform.to_original((round(x), round(y)))
    scale = transform.scale
    assert abs(back[0] - original[0]) * scale[0] <= 0.5 + 1e-6
    assert abs(back[1] - original[1]) * scale[1] <= 0.5 + 1e-6


@given(sizes, sizes, sizes, fractions, fractions)
def test_crop_and_resize_compose(
    size: tuple[int, int],
    second: tuple[int, int],
    third: tuple[int, int],
    corner: tuple[float, float],
    at: tuple[float, float],
) -> None:
    first = Transform.identity(size).then_resize(second)
    x0, y0 = int(corner[0] * (second[0] - 1)), int(corner[1] * (second[1] - 1))
    whole = first.then_crop((x0, y0, second[0], second[1])).then_resize(third)
    point = (at[0] * size[0], at[1] * size[1])
    step = first.to_model(point)
    expected = (
        (step[0] - x0) * third[0] / (second[0] - x0),
        (step[1] - y0) * third[1] / (second[1] - y0),
    )
    found = whole.to_model(point)
    assert abs(found[0] - expected[0]) < 1e-6 * third[0] * second[0]
    assert abs(found[1] - expected[1]) < 1e-6 * third[1] * second[1]


@given(sizes, st.integers(1, 8), fractions)
def test_stored_is_the_inverse_of_upright(size: tuple[int, int], orientation: int, at: tuple[float, float]) -> None:
    transform = Transform.identity(size, orientation)
    x, y = at[0] * size[0], at[1] * size[1]
    back = transform.from_stored(transform.to_stored((x, y)))
    assert abs(back[0] - x) < 1e-6
    assert abs(back[1] - y) < 1e-6


def test_dict_round_trip() -> None:
    transform = Transform((100, 50), (80, 20), crop=(20.5, 10.0, 60.0, 30.0), exif_orientation=6)
    assert Transform.from_dict(transform.to_dict()) == transform


def test_clamping() -> None:
    transform = Transform((100, 50), (56, 28))
    assert transform.clamp_original((-3, 60)) == (0, 50)
    assert transform.clamp_box_model((-1, 5, 99, 27)) == (0, 5, 56, 27)


def test_pixels_follow_the_transform() -> None:
    """A red square at a known place is where the transform says, after a resize, a crop and a resize."""
    image = Image.new("RGB", (400, 300), "white")
    image.paste((255, 0, 0), (200, 120, 260, 180))
    picture = resize_picture(load_image(image), max_pixels=60_000)
    picture = resize_picture(picture.crop(picture.transform.box_to_model((150, 90, 330, 240))))
    x0, y0, x1, y1 = (round(v) for v in picture.transform.box_to_model((200, 120, 260, 180)))
    red = (picture.pixels[:, :, 0] > 128) & (picture.pixels[:, :, 1] < 128)
    rows, columns = red.any(1).nonzero()[0], red.any(0).nonzero()[0]
    assert max(abs(columns[0] - x0), abs(columns[-1] + 1 - x1), abs(rows[0] - y0), abs(rows[-1] + 1 - y1)) <= 2
