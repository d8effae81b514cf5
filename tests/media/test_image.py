"""Pictures of every mode become upright RGB; hostile ones become one sentence."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.image import load_image
from viewfinder.media.resize import resize_picture
from viewfinder.media.source import Limits


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def gradient(width: int = 40, height: int = 30) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 6, y * 8, x + y], axis=2).astype(np.uint8))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_remembered(orientation: int) -> None:
    stored = Image.new("RGB", (40, 30), "white")
    stored.putpixel((3, 5), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = load_image(encoded(stored, "PNG", exif=exif))
    assert picture.size == ((40, 30) if orientation < 5 else (30, 40))
    assert picture.transform.exif_orientation == orientation
    rows, columns = np.nonzero(picture.pixels[:, :, 1] == 0)
    centre = (columns[0] + 0.5, rows[0] + 0.5)
    assert picture.transform.to_stored(centre) == (3.5, 5.5)


def test_tiff_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = load_image(encoded(gradient(), "TIFF", exif=exif))
    assert picture.size == (30, 40)
    assert np.array_equal(picture.pixels, np.rot90(np.asarray(gradient()), -1))


def test_transparency_lies_on_white() -> None:
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (200, 0, 0, 0))
    picture = load_image(encoded(image, "PNG"))
    assert picture.pixels.tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert picture.notes == ("transparency shown on white",)


def test_transparent_palette_grey_and_rgb() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 9, 9, 9])
    palette.putpixel((1, 0), 1)
    assert load_image(encoded(palette, "PNG", transparency=0)).pixels.tolist() == [[[255] * 3, [9] * 3]]
    assert load_image(encoded(Image.new("LA", (1, 1), (0, 0)), "PNG")).pixels.tolist() == [[[255] * 3]]
    color_key = encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    assert load_image(color_key).pixels.tolist() == [[[255] * 3]]


def test_sixteen_bits_keep_their_brightness() -> None:
    values = np.array([[0, 256 * 100, 65535]], dtype=np.uint16)
    assert load_image(encoded(Image.fromarray(values), "PNG")).pixels[:, :, 0].tolist() == [[0, 100, 255]]
    assert load_image(encoded(Image.fromarray(values), "TIFF")).pixels[:, :, 0].tolist() == [[0, 100, 255]]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
        ("JPEG2000", {}),
        ("ICO", {"sizes": [(40, 30)]}),
        ("TGA", {}),
        ("PPM", {}),
        ("QOI", {}),
        ("DIB", {}),
    ],
)
def test_formats_behind_the_common_ones_open(kind: str, options: dict[str, object]) -> None:
    picture = load_image(encoded(gradient(), kind, **options))
    assert picture.size == (40, 30)
    assert np.abs(picture.pixels.astype(int) - np.asarray(gradient())).max() <= 2


def test_a_picture_with_a_preview_inside_is_the_picture() -> None:
    mpo = encoded(gradient(), "MPO", save_all=True, append_images=[gradient(20, 10)])
    assert load_image(mpo).size == (40, 30)
    assert load_image(mpo).notes == ()


def keyed_png(depth: int, color: int, rows: list[bytes], width: int, transparent: bytes) -> bytes:
    """A PNG with a transparent color (tRNS) that Pillow's writer would not make."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, len(rows), depth, color, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = chunk(b"IHDR", head) + chunk(b"tRNS", transparent) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize(
    ("data", "grey"),
    [
        (keyed_png(16, 0, [struct.pack(">3H", 0, 25700, 258)], 3, struct.pack(">H", 258)), [0, 100, 255]),
        (keyed_png(4, 0, [b"\x3a"], 2, struct.pack(">H", 3)), [255, 170]),
        (keyed_png(2, 0, [b"\x1b"], 4, struct.pack(">H", 1)), [0, 255, 170, 255]),
        (keyed_png(1, 0, [b"\xa0"], 3, struct.pack(">H", 0)), [255, 255, 255]),
        (keyed_png(16, 2, [struct.pack(">6H", 258, 258, 258, 25700, 25700, 25700)], 2, struct.pack(">3H", *[258] * 3)),
         [255, 100]),
    ],
)  # fmt: skip
def test_a_transparent_color_in_every_depth(data: bytes, grey: list[int]) -> None:
    assert load_image(data).pixels[0, :, 0].tolist() == grey


def test_twelve_bits_in_sixteen() -> None:
    """Cameras store 0 to 4095 unshifted; a picture of 8 bits in 16 is one of 8 bits."""
    for values, grey in ([0, 2048, 4095], [0, 128, 255]), ([0, 17, 255], [0, 17, 255]), ([0, 100, 4096], [0, 0, 16]):
        data = encoded(Image.fromarray(np.array([values], dtype=np.uint16)), "PNG")
        assert load_image(data).pixels[0, :, 0].tolist() == grey


def tiff(bits: int, photometric: int, width: int, data: bytes) -> bytes:
    """One row of grey samples; photometric 0 means that zero is white."""
    entries = [(256, width), (257, 1), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, 1),
               (279, len(data))]  # fmt: skip
    data += b"\0" * (len(data) % 2)
    table = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in entries)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(entries)) + table + b"\0" * 4


def test_tiff_of_twelve_bits_and_white_as_zero() -> None:
    assert load_image(tiff(12, 1, 2, b"\xff\xf0\x10")).pixels[0, :, 0].tolist() == [255, 1]
    values = struct.pack("<3H", 0, 25600, 65535)
    assert load_image(tiff(16, 1, 3, values)).pixels[0, :, 0].tolist() == [0, 100, 255]
    assert load_image(tiff(16, 0, 3, values)).pixels[0, :, 0].tolist() == [255, 155, 0]


def test_float_samples_are_stretched_and_said_so() -> None:
    picture = load_image(encoded(Image.fromarray(np.array([[-1.0, 0.0, 1.0]], dtype=np.float32)), "TIFF"))
    assert picture.pixels[:, :, 0].tolist() == [[0, 127, 255]]
    assert "stretched" in picture.notes[0]


def test_cmyk_and_bilevel() -> None:
    picture = load_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100))
    red, green, blue = picture.pixels[4, 4].tolist()
    assert red > 240
    assert max(green, blue) < 15
    assert load_image(encoded(Image.new("1", (1, 1), 1), "PNG")).pixels.tolist() == [[[255] * 3]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    picture = load_image(encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, lossless=True))
    assert picture.pixels[0, 0, 0] > 250
    assert picture.notes == ("several frames or pages: only the first is used",)


def test_arrays_and_pillow_images_pass() -> None:
    image = gradient()
    assert load_image(image).image is image  # no copy
    assert np.array_equal(load_image(np.asarray(image)).pixels, np.asarray(image))
    assert load_image(np.zeros((4, 5), np.uint8)).size == (5, 4)
    assert load_image(load_image(image)).image is image
    with pytest.raises(MediaError, match="float64"):
        load_image(np.zeros((4, 5, 3)))


def one_sentence(error: pytest.ExceptionInfo[MediaError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 300
    return text


def test_truncated_jpeg(tmp_path: Path) -> None:
    file = tmp_path / "cut.jpg"
    data = encoded(gradient(400, 300), "JPEG", quality=95)
    for keep in (len(data) // 2, 200):
        file.write_bytes(data[:keep])
        with pytest.raises(MediaError) as error:
            load_image(file)
        assert "cut.jpg" in one_sentence(error)


def test_text_named_jpg_and_other_kinds(tmp_path: Path) -> None:
    file = tmp_path / "notes.jpg"
    for content, hint in [
        (b"hello world, I am text", "is no picture"),
        (b"", "is empty"),
        (b"%PDF-1.4 ...", "is a PDF"),
        (b"\0\0\0\x18ftypheic....", "HEIC"),
        (b"\0\0\0\x18ftypisom....", "is a video"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "is no picture"),  # never run
    ]:
        file.write_bytes(content)
        with pytest.raises(MediaError) as error:
            load_image(str(file))
        assert hint in one_sentence(error)


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 15_000, 60_000])
def test_bombs_are_refused_on_their_header(side: int) -> None:
    with pytest.raises(LimitError) as error:
        load_image(png(side, side), Limits(max_pixels=50_000_000))
    one_sentence(error)


def test_damaged_png_rows() -> None:
    with pytest.raises(MediaError) as error:
        load_image(png(100, 100, b"\0" * 5))
    assert "damaged" in one_sentence(error)


def test_a_line_can_be_read_but_not_shown_to_the_model() -> None:
    picture = load_image(encoded(Image.new("RGB", (1, 20_000)), "PNG"))
    with pytest.raises(LimitError) as error:
        resize_picture(picture)
    assert "1x20000" in one_sentence(error)


def test_crop_outside() -> None:
    with pytest.raises(MediaError, match="inside"):
        load_image(gradient()).crop((50, 50, 60, 60))
