"""The kind "signs": text as a camera meets it: boards in perspective on backgrounds, blurred and noisy.

Each line's mask goes through the same perspective as its letters; its box is measured from the warped mask.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.documents.sheet import Color
from viewfinder.data.synth.exchange import converse, one_or_two
from viewfinder.data.synth.grounds import any_color, camera, contrasting, ground
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.shapes import PixelRectangle
from viewfinder.data.synth.writing.languages import Language, find_fonts, open_font
from viewfinder.data.synth.writing.lines import Written, ask_text, choose_languages, fitting
from viewfinder.media.transform import Transform

Corner = tuple[float, float]
_SEEN = 100


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A picture of one or more signs, and one or two questions."""
    image, lines = draw_signs(rng, options)
    frame = Transform.identity(image.size)
    exchanges = one_or_two(rng, lambda: ask_text(rng, lines, frame))
    language = lines[-1].language.code if lines else "en"
    return converse(exchanges, image, language=language, lineage=("signs",))


def draw_signs(rng: np.random.Generator, options: Options) -> tuple[Image.Image, list[Written]]:
    """Signs one below another on a ground, lines from top to bottom."""
    hard = options.difficulty
    width, height = options.size(rng, aspect=2.0)
    if hard < 0.35:
        width, height = max(112, width // 28 * 28), max(84, height // 28 * 28)
    image = ground(rng, (width, height), 0.5 + hard / 2)
    count = number(rng, 1, 1 + round(2 * hard))
    lines: list[Written] = []
    for i in range(count):
        area = (0, height * i // count, width, height * (i + 1) // count)
        lines += _sign(rng, image, area, options)
    return camera(rng, image, 0.3 + 0.7 * hard), sorted(lines, key=lambda line: line.box[1])


def _sign(rng: np.random.Generator, image: Image.Image, area: PixelRectangle, options: Options) -> list[Written]:
    """One board with one to three lines, warped into an area."""
    hard = options.difficulty
    size = number(rng, 18 - round(5 * hard), 28 - round(8 * hard))
    wide, high = area[2] - area[0] - 8, area[3] - area[1] - 8
    words: list[tuple[str, Language, ImageFont.FreeTypeFont]] = []
    languages = choose_languages(rng, options)
    for _ in range(number(rng, 1, min(3, max(1, high // (2 * size))))):
        language = pick(rng, languages)
        font = open_font(pick(rng, find_fonts(language.code, options.split, options.fonts)), size, language.code)
        words.append((fitting(rng, language, font.getlength, wide - 3 * size), language, font))
    step = round(size * 1.6)
    board = (min(wide, round(max(f.getlength(t) for t, _, f in words)) + 2 * size), min(high, step * len(words) + size))
    if board[1] < step + 4:
        return []
    color: Color = any_color(rng)
    ink = contrasting(rng, sum(color) / 3)
    face = Image.new("RGB", board, color)
    if chance(rng, 0.5):
        ImageDraw.Draw(face).rectangle((2, 2, board[0] - 3, board[1] - 3), outline=ink)
    masks = [_mask(board, text, font, size // 2 + step * i + size // 4) for i, (text, _, font) in enumerate(words)]
    for mask in masks:
        face.paste(ink, (0, 0, *board), mask)
    corners = _corners(rng, board, (area[0] + 4, area[1] + 4, area[2] - 4, area[3] - 4), hard)
    coefficients = perspective(corners, board)
    bounds = image.size
    shown = Image.new("L", board, 255).transform(bounds, Image.Transform.PERSPECTIVE, coefficients, _SMOOTH)
    image.paste(face.transform(bounds, Image.Transform.PERSPECTIVE, coefficients, _SMOOTH), (0, 0), shown)
    found: list[Written] = []
    for (text, language, _), mask in zip(words, masks, strict=True):
        warped = mask.transform(bounds, Image.Transform.PERSPECTIVE, coefficients, _SMOOTH)
        box = warped.point([255 * (v > _SEEN) for v in range(256)]).getbbox()
        if box is not None:
            found.append(Written(text, language, box))
    return found


_SMOOTH = Image.Resampling.BICUBIC


def _mask(size: tuple[int, int], text: str, font: ImageFont.FreeTypeFont, middle: int) -> Image.Image:
    mask = Image.new("L", size, 0)
    left, top, right, bottom = font.getbbox(text)
    x, y = (size[0] - (right - left)) / 2 - left, middle - (bottom - top) / 2 - top + font.size / 4
    ImageDraw.Draw(mask).text((x, y), text, fill=255, font=font)
    return mask


def _corners(
    rng: np.random.Generator, board: tuple[int, int], area: PixelRectangle, difficulty: float
) -> tuple[Corner, Corner, Corner, Corner]:
    """Where the board's corners go, clockwise from the top left: moved by up to an eighth of the board, inside."""
    x = number(rng, area[0], max(area[0], area[2] - board[0]))
    y = number(rng, area[1], max(area[1], area[3] - board[1]))
    reach = (0.03 + 0.1 * difficulty) * min(board)
    corners: list[Corner] = []
    for dx, dy in ((0, 0), (1, 0), (1, 1), (0, 1)):
        px = x + dx * board[0] + float(rng.uniform(-reach, reach))
        py = y + dy * board[1] + float(rng.uniform(-reach, reach))
        corners.append((min(max(px, area[0]), area[2]), min(max(py, area[1]), area[3])))
    a, b, c, d = corners
    return a, b, c, d


def perspective(corners: tuple[Corner, Corner, Corner, Corner], size: tuple[int, int]) -> list[float]:
    """Pillow's eight numbers, from the picture to a board of `size` whose corners are seen at `corners`.

    Corners (0, 0), (8, 0), (8, 4), (0, 4) of a board of 4 x 2 give [0.5, 0, 0, 0, 0.5, 0, 0, 0].
    """
    width, height = size
    rows: list[list[float]] = []
    target: list[float] = []
    for (x, y), (u, v) in zip(corners, ((0, 0), (width, 0), (width, height), (0, height)), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        target += [u, v]
    return np.linalg.solve(np.array(rows, float), np.array(target, float)).tolist()
