"""The kind "maths": figures with labelled parts, and the answer worked out step by step.

Every step follows from what is drawn; the last line is always `Answer: ...`, so the result can be checked alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.documents.lettering import Face, draw_faces
from viewfinder.data.synth.documents.sheet import Color, Sheet, blend, draw_palette
from viewfinder.data.synth.exchange import Exchange, converse
from viewfinder.data.synth.grounds import camera
from viewfinder.data.synth.kinds import Options


@dataclass
class Board:
    """A sheet with one face, and where the figure goes."""

    sheet: Sheet
    face: Face
    hard: float

    @property
    def size(self) -> tuple[int, int]:
        return self.sheet.size

    def text(self, words: str, x: float, y: float, anchor: str = "mm") -> None:
        self.sheet.pen.text((x, y), words, fill=self.face.color, font=self.face.font, anchor=anchor)

    def polygon(self, points: list[tuple[float, float]], fill: Color | None = None) -> None:
        """An outline with smooth edges."""
        width, height = self.size
        for color, wide in ((fill, 0), (self.sheet.ink, 2)):
            if color is None:
                continue
            mask = Image.new("L", (width * 3, height * 3), 0)
            big = [(x * 3, y * 3) for x, y in points]
            pen = ImageDraw.Draw(mask)
            if wide:
                pen.line([*big, big[0]], 255, wide * 3, "curve")
            else:
                pen.polygon(big, fill=255)
            self.sheet.image.paste(color, (0, 0, width, height), mask.reduce(3))


Problem = tuple[str, list[str], str]
"""A question, the steps, the result."""


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A figure and its problem."""
    low = min(max(options.min_side, 140), options.max_side)
    side = number(rng, low, max(low, round(options.max_side * 0.8)))
    size = (side // 28 * 28, round(side * 0.85) // 28 * 28) if options.difficulty < 0.35 else (side, round(side * 0.85))
    colors = draw_palette(rng, options.difficulty)
    sheet = Sheet((max(112, size[0]), max(112, size[1])), colors.paper, colors.ink, colors.accent)
    em = number(rng, 14 - round(2 * options.difficulty), 17)
    face = Face(draw_faces(rng, options.split, options.fonts).plain, em, sheet.ink)
    generators = HELD_OUT_PROBLEMS if options.split == "held_out" else PROBLEMS
    question, steps, result = pick(rng, generators)(rng, Board(sheet, face, options.difficulty))
    told = "\n".join(f"{i}. {step}" for i, step in enumerate(steps, 1))
    exchange = Exchange(
        "maths",
        f"{question} Think step by step.",
        f"{told}\nAnswer: {result}",
        truth={"answer": result, "steps": steps},
    )
    return converse([exchange], camera(rng, sheet.image, options.difficulty * 0.5), lineage=("maths",))


def rectangle(rng: np.random.Generator, board: Board) -> Problem:
    """Area or perimeter from two sides."""
    a, b = number(rng, 2, 9 + round(20 * board.hard)), number(rng, 2, 9 + round(20 * board.hard))
    width, height = board.size
    x1, y1, x2, y2 = width * 0.22, height * 0.18, width * 0.88, height * 0.75
    board.polygon([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], blend(board.sheet.paper, board.sheet.accent, 0.25))
    board.text(f"{a} cm", (x1 + x2) / 2, y2 + board.face.size)
    board.text(str(b), x1 - board.face.size, (y1 + y2) / 2)
    sides = f"The sides are {a} cm and {b} cm."
    if chance(rng, 0.5):
        return "What is the area of the rectangle?", [sides, f"Area = {a} x {b} = {a * b}."], f"{a * b} cm²"
    total = 2 * (a + b)
    return (
        "What is the perimeter of the rectangle?",
        [sides, f"{a} + {b} = {a + b}.", f"2 x {a + b} = {total}."],
        f"{total} cm",
    )


def triangle(rng: np.random.Generator, board: Board) -> Problem:
    """The third angle of a triangle drawn to measure."""
    step = 5 if board.hard < 0.5 else 1
    a = step * number(rng, 30 // step, 80 // step)
    b = step * number(rng, 30 // step, 80 // step)
    c = 180 - a - b
    width, height = board.size
    base, left, floor = width * 0.8, width * 0.1, height * 0.82
    alpha, beta = np.deg2rad(a), np.deg2rad(b)
    along = float(np.tan(beta) / (np.tan(alpha) + np.tan(beta)))
    rise = along * base * float(np.tan(alpha))
    shrink = min(1.0, (height * 0.66) / rise)
    base, rise = base * shrink, rise * shrink
    left = (width - base) / 2
    top = (left + along * base, floor - rise)
    board.polygon([(left, floor), (left + base, floor), top])
    board.text(f"{a}°", left + board.face.size * 1.9, floor - board.face.size * 0.8)
    board.text(f"{b}°", left + base - board.face.size * 1.9, floor - board.face.size * 0.8)
    board.text("x", top[0], top[1] + board.face.size * 1.7)
    return (
        "How large is the angle x?",
        [
            f"The angles are {a}° and {b}°.",
            "The angles of a triangle add up to 180°.",
            f"x = 180 - {a} - {b} = {c}.",
        ],
        f"{c}°",
    )


def clock(rng: np.random.Generator, board: Board) -> Problem:
    """Reading a clock, or some minutes later."""
    hour, minute = number(rng, 1, 12), 5 * number(rng, 0, 11)
    width, height = board.size
    x, y, radius = width / 2, height / 2, min(width, height) * 0.44
    ring = [(x + radius * np.cos(t), y + radius * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 60)]
    board.polygon([(float(a), float(b)) for a, b in ring])
    for i in range(1, 13):
        angle = np.deg2rad(30 * i - 90)
        if radius > 3.2 * board.face.size:
            board.text(str(i), x + radius * 0.82 * float(np.cos(angle)), y + radius * 0.82 * float(np.sin(angle)))
        else:
            ends = [(x + radius * f * float(np.cos(angle)), y + radius * f * float(np.sin(angle))) for f in (0.88, 1)]
            board.sheet.pen.line(ends, board.sheet.ink, 2)
    for degrees, reach, wide in ((30 * (hour + minute / 60), 0.42, 4), (6 * minute, 0.66, 2)):
        angle = np.deg2rad(degrees - 90)
        end = (x + radius * reach * float(np.cos(angle)), y + radius * reach * float(np.sin(angle)))
        board.sheet.pen.line([(x, y), end], board.sheet.accent, wide)
    now = f"{hour}:{minute:02d}"
    steps = [
        f"The short hand is {'at' if not minute else 'past'} {hour}.",
        f"The long hand is at {minute // 5 or 12}, so {minute} minutes.",
    ]
    if chance(rng, 0.5):
        return "What time does the clock show?", steps, now
    later = 5 * number(rng, 1, 6)
    total = (hour % 12) * 60 + minute + later
    then = f"{total // 60 % 12 or 12}:{total % 60:02d}"
    return (
        f"What time is it {later} minutes after the time shown?",
        [*steps, f"It is {now}.", f"{later} minutes later it is {then}."],
        then,
    )


def fraction(rng: np.random.Generator, board: Board) -> Problem:
    """The shaded part of a grid."""
    rows, columns = number(rng, 1, 3), number(rng, 2, 5)
    total = rows * columns
    shaded = number(rng, 1, total - 1)
    width, height = board.size
    cell = round(min(width * 0.84 / columns, height * 0.84 / rows))
    x, y = (width - cell * columns) // 2, (height - cell * rows) // 2
    chosen = set(rng.permutation(total)[:shaded].tolist())
    for i in range(total):
        left, top = x + cell * (i % columns), y + cell * (i // columns)
        fill = board.sheet.accent if i in chosen else None
        board.sheet.pen.rectangle((left, top, left + cell, top + cell), fill=fill, outline=board.sheet.ink, width=2)
    divisor = int(np.gcd(shaded, total))
    result = f"{shaded // divisor}/{total // divisor}"
    steps = [f"There are {total} squares.", f"{shaded} of them {'is' if shaded == 1 else 'are'} shaded."]
    if divisor > 1:
        steps.append(f"{shaded}/{total} = {result}.")
    return "What fraction of the figure is shaded?", steps, result


def equation(rng: np.random.Generator, board: Board) -> Problem:
    """A written equation in x."""
    x, a, b = number(rng, 1, 12), number(rng, 2, 9), number(rng, 1, 20)
    total = a * x + b
    board.text(f"{a}x + {b} = {total}", board.size[0] / 2, board.size[1] / 2)
    return (
        "Solve the equation for x.",
        [
            f"The equation is {a}x + {b} = {total}.",
            f"{a}x = {total} - {b} = {total - b}.",
            f"x = {total - b} / {a} = {x}.",
        ],
        f"x = {x}",
    )


def addition(rng: np.random.Generator, board: Board) -> Problem:
    """A sum or difference written in columns."""
    most = 99 if board.hard < 0.5 else 999
    a, b = sorted((number(rng, 1, most), number(rng, 1, most)), reverse=True)
    plus = chance(rng, 0.6)
    width, height = board.size
    x, y, step = width * 0.65, height * 0.3, board.face.size * 1.5
    board.text(str(a), x, y, "rm")
    board.text(f"{'+' if plus else '-'} {b}", x, y + step, "rm")
    line = y + step * 1.6
    board.sheet.pen.line((x - board.face.width("+ 0000"), line, x + 3, line), board.sheet.ink, 2)
    result = a + b if plus else a - b
    words = f"{a} {'+' if plus else '-'} {b} = {result}"
    return "What is the result?", [f"The numbers are {a} and {b}.", f"{words}."], str(result)


def dice(rng: np.random.Generator, board: Board) -> Problem:
    """The sum of some dice."""
    values = [number(rng, 1, 6) for _ in range(number(rng, 2, 3))]
    width, height = board.size
    side = round(min(width * 0.8 / len(values) - 6, height * 0.5))
    spots = {1: (4,), 2: (0, 8), 3: (0, 4, 8), 4: (0, 2, 6, 8), 5: (0, 2, 4, 6, 8), 6: (0, 2, 3, 5, 6, 8)}
    for i, value in enumerate(values):
        x = round(width * (i + 0.5) / len(values) - side / 2)
        y = (height - side) // 2
        board.sheet.pen.rounded_rectangle((x, y, x + side, y + side), side // 6, outline=board.sheet.ink, width=2)
        for spot in spots[value]:
            cx, cy, r = x + side * (1 + spot % 3) / 4, y + side * (1 + spot // 3) / 4, side * 0.09
            board.sheet.pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=board.sheet.ink)
    told = " + ".join(map(str, values))
    return (
        "What is the sum of the dice?",
        [f"The dice show {', '.join(map(str, values))}.", f"{told} = {sum(values)}."],
        str(sum(values)),
    )


def number_line(rng: np.random.Generator, board: Board) -> Problem:
    """The value at a mark of a line."""
    start, step, count = number(rng, 0, 20), pick(rng, (1, 2, 5, 10)), number(rng, 5, 8)
    width, height = board.size
    x1, x2, y = width * 0.08, width * 0.92, height * 0.5
    board.sheet.pen.line((x1, y, x2, y), board.sheet.ink, 2)
    at = number(rng, 1, count - 1)
    for i in range(count + 1):
        x = x1 + (x2 - x1) * i / count
        board.sheet.pen.line((x, y - 5, x, y + 5), board.sheet.ink, 2)
        if i in (0, count):
            board.text(str(start + step * i), x, y + 8 + board.face.size / 2)
    x = x1 + (x2 - x1) * at / count
    board.sheet.pen.polygon([(x, y - 7), (x - 6, y - 18), (x + 6, y - 18)], fill=board.sheet.accent)
    board.text("A", x, y - 18 - board.face.size * 0.7)
    end, value = start + step * count, start + step * at
    return (
        "Which number is at A?",
        [
            f"The line goes from {start} to {end} in {count} steps.",
            f"Each step is {end - start} / {count} = {step}.",
            f"A is at step {at}: {start} + {at} x {step} = {value}.",
        ],
        str(value),
    )


PROBLEMS: tuple[Callable[[np.random.Generator, Board], Problem], ...] = (
    *(rectangle, triangle, clock, fraction, equation, addition),
)
HELD_OUT_PROBLEMS: tuple[Callable[[np.random.Generator, Board], Problem], ...] = (dice, number_line)
