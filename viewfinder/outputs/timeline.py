"""A clip on one sheet: its frames with their times, framed where something happens, above a bar of all spans."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from viewfinder.outputs.draw import Color, color_of
from viewfinder.outputs.lettering import Lettering
from viewfinder.outputs.spans import Span
from viewfinder.outputs.times import format_time

_BACKGROUND, _INK, _FAINT = (250, 250, 250), (30, 30, 30), (200, 200, 200)
_GAP, _CAPTION, _ROW = 8, 18, 26


def timeline(
    spans: Sequence[Span],
    duration: float,
    frames: Sequence[tuple[float, Image.Image]] = (),
    *,
    columns: int = 6,
    width: int = 1200,
) -> Image.Image:
    """A contact sheet with a time bar.

    Args:
        spans: seconds of the original clip.
        duration: of the clip, seconds.
        frames: (time in seconds, picture) pairs, in order; any number.
        columns: frames beside one another.
        width: of the sheet, pixels.
    """
    assert duration > 0
    cell = (width - _GAP * (columns + 1)) // columns
    tallest = max((image.height / image.width for _, image in frames), default=0.0)
    height = min(round(cell * tallest), 2 * cell)
    rows = -(-len(frames) // columns)
    bar_top = _GAP + rows * (height + _CAPTION + _GAP)
    sheet = Image.new("RGB", (width, bar_top + _ROW * (len(spans) + 1) + 2 * _GAP), _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    colors = color_of([span.label or str(i) for i, span in enumerate(spans)])
    for i, (time, image) in enumerate(frames):
        x = _GAP + (i % columns) * (cell + _GAP)
        y = _GAP + (i // columns) * (height + _CAPTION + _GAP)
        inside = [color for span, color in zip(spans, colors, strict=True) if span.start <= time <= span.end]
        _frame(sheet, image, (x, y, cell, height), inside)
        Lettering(13).draw(pen, (x, y + height + 3), format_time(max(time, 0.0), "mm:ss.ff"), _INK)
    _bar(pen, spans, colors, duration, bar_top, width)
    return sheet


def _frame(sheet: Image.Image, image: Image.Image, place: tuple[int, int, int, int], colors: list[Color]) -> None:
    x, y, width, height = place
    thumbnail = image.convert("RGB")
    scale = min(width / image.width, height / image.height)
    thumbnail = thumbnail.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    sheet.paste(thumbnail, (x, y))
    pen = ImageDraw.Draw(sheet)
    for depth, color in enumerate(colors[:3]):
        edge = 4 * depth
        corner = (x + thumbnail.width - 1 - edge, y + thumbnail.height - 1 - edge)
        if min(corner[0] - x - edge, corner[1] - y - edge) > 8:
            pen.rectangle((x + edge, y + edge, *corner), outline=color, width=4)


def _bar(
    pen: ImageDraw.ImageDraw, spans: Sequence[Span], colors: Sequence[Color], duration: float, top: int, width: int
) -> None:
    """One row per span over a common scale with ticks."""
    font = Lettering(14)
    left, length = 5 * _GAP, width - 10 * _GAP
    bottom = top + _ROW * len(spans)
    for tick in range(11):
        x = left + length * tick / 10
        pen.line((x, top, x, bottom + 4), fill=_FAINT)
        words = format_time(duration * tick / 10, "mm:ss.ff")
        font.draw(pen, (x - font.length(words) / 2, bottom + 7), words, _INK)
    for i, (span, color) in enumerate(zip(spans, colors, strict=True)):
        x1, x2 = left + length * span.start / duration, left + length * span.end / duration
        y = top + _ROW * i
        pen.rectangle((x1, y + 3, max(x2, x1 + 2), y + _ROW - 3), fill=color)
        words = f"{format_time(span.start, 'mm:ss.ff')} - {format_time(span.end, 'mm:ss.ff')} {span.label}".strip()
        room_right = width - x2 - _GAP
        beside = x2 + 6 if font.length(words) <= room_right else left
        if beside == left:
            pen.rectangle((left, y + 4, left + font.length(words) + 4, y + _ROW - 4), fill=_BACKGROUND)
        font.draw(pen, (beside + 2, y + 6), words, _INK)
