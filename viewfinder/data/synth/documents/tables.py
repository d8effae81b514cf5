"""Tables: what is in them (`Grid`), how they are ruled, and drawing them with the box of every cell."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.documents.lettering import Column, Face, break_lines, set_line
from viewfinder.data.synth.documents.sheet import Color, Sheet, blend, union
from viewfinder.data.synth.documents.subjects import draw_filling
from viewfinder.data.synth.kinds import Split
from viewfinder.data.synth.shapes import PixelRectangle
from viewfinder.outputs.document.elements import Cell, Row, Table
from viewfinder.outputs.document.html_inline import escape

RULINGS = ("grid", "rows", "head", "plain", "filled", "frame")
HELD_OUT_RULINGS = ("zebra", "columns")


@dataclass(frozen=True)
class Entry:
    """A cell at row and column `at`, over `rows` x `columns` places."""

    text: str
    at: tuple[int, int]
    rows: int = 1
    columns: int = 1
    head: bool = False
    right: bool = False


@dataclass(frozen=True)
class Grid:
    """A table's cells, row by row, and its size."""

    entries: tuple[Entry, ...]
    num_rows: int
    num_columns: int

    def entry(self, row: int, column: int) -> Entry:
        """The cell that covers a place."""
        return next(
            e for e in self.entries if e.at[0] <= row < e.at[0] + e.rows and e.at[1] <= column < e.at[1] + e.columns
        )


@dataclass(frozen=True)
class TableStyle:
    """How a table looks: ruling, room around words in pixels, faces of heads and of the rest, color of rules."""

    ruling: str
    pad: tuple[int, int]
    face: Face
    head: Face
    rule: Color
    fill: Color
    stretch: bool = False


@dataclass
class DrawnTable:
    """A table as it stands: for each cell the words that fitted and the box of their ink (None for an empty one)."""

    grid: Grid
    box: PixelRectangle
    cells: dict[tuple[int, int], tuple[str, PixelRectangle | None]] = field(default_factory=dict)

    def element(self) -> Table:
        """The table of the page format; words as they fitted."""
        rows: list[Row] = []
        for r in range(self.grid.num_rows):
            here = [e for e in self.grid.entries if e.at[0] == r]
            cells = tuple(Cell(escape(self.cells[e.at][0]), e.rows, e.columns, e.head) for e in here)
            rows.append(Row(cells))
        return Table(self.box, tuple(rows))


def draw_style(
    rng: np.random.Generator, sheet: Sheet, face: Face, head: Face, split: Split, tight: bool = False
) -> TableStyle:
    ruling = pick(rng, RULINGS if split == "train" else HELD_OUT_RULINGS)
    pad = (number(rng, 3, 5 if tight else 9), number(rng, 1, 2 if tight else 5))
    rule = blend(sheet.paper, sheet.ink, float(rng.uniform(0.35, 1.0)))
    fill = blend(sheet.paper, sheet.accent, float(rng.uniform(0.12, 0.3)))
    return TableStyle(ruling, pad, face, head, rule, fill, chance(rng, 0.4))


def draw_table(sheet: Sheet, column: Column, grid: Grid, style: TableStyle) -> DrawnTable | None:
    """Draw a table at the column's place and move it down; None when it does not fit (nothing is drawn)."""
    widths = _widths(grid, style, column.width)
    if widths is None:
        return None
    wrapped = {e.at: _wrapped(e, style, widths) for e in grid.entries}
    heights = _heights(grid, style, wrapped)
    if sum(heights) + 1 > column.room:
        return None
    xs = np.concatenate([[0], np.cumsum(widths)]) + column.x
    ys = np.concatenate([[0], np.cumsum(heights)]) + column.y
    area = (int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1)
    places = {
        e.at: tuple(int(v) for v in (xs[e.at[1]], ys[e.at[0]], xs[e.at[1] + e.columns], ys[e.at[0] + e.rows]))
        for e in grid.entries
    }
    _rule(sheet, grid, style, places, area)
    drawn = DrawnTable(grid, area)
    for e in grid.entries:
        drawn.cells[e.at] = _set_cell(sheet, column, e, wrapped[e.at], style, places[e.at], _ground(sheet, e, style))
    box = sheet.ink_box(area)
    column.y = area[3]
    if box is None:
        return None
    drawn.box = box
    return drawn


def _face(e: Entry, style: TableStyle) -> Face:
    return style.head if e.head else style.face


def _widths(grid: Grid, style: TableStyle, width: int) -> list[int] | None:
    """Of the columns: as wide as the words want, cut to the widest share that still fits; None when too narrow."""
    pad = 2 * style.pad[0]
    wish = [1] * grid.num_columns
    for e in sorted(grid.entries, key=lambda e: e.columns):
        need = round(_face(e, style).width(e.text)) + pad + 2
        span = range(e.at[1], e.at[1] + e.columns)
        missing = need - sum(wish[c] for c in span)
        for c in span:
            wish[c] += max(0, -(-missing // e.columns))
    least = _least_widths(grid, style)
    room = width - 1
    if sum(least) > room:
        if grid.num_columns > 2:
            return None
        least = [pad + round(2.2 * style.face.size)] * grid.num_columns  # words are cut: nothing narrower can be drawn
        if sum(least) > room:
            return None
    while sum(wish) > room:
        widest = max(range(len(wish)), key=lambda c: wish[c] - least[c])
        wish[widest] = max(least[widest], wish[widest] - max(1, (sum(wish) - room) // 2))
    if style.stretch:
        extra = room - sum(wish)
        wish = [w + extra // len(wish) for w in wish]
    return wish


def _least_widths(grid: Grid, style: TableStyle) -> list[int]:
    """Of the columns: no word of theirs is cut."""
    pad = 2 * style.pad[0] + 2
    least = [pad + round(2.2 * style.face.size)] * grid.num_columns
    for e in grid.entries:
        if e.columns == 1:
            face = _face(e, style)
            least[e.at[1]] = max(least[e.at[1]], pad + round(max(face.width(word) for word in e.text.split())))
    return least


def _wrapped(e: Entry, style: TableStyle, widths: list[int]) -> list[str]:
    width = sum(widths[e.at[1] : e.at[1] + e.columns]) - 2 * style.pad[0]
    return break_lines(e.text, _face(e, style), width)


def _heights(grid: Grid, style: TableStyle, wrapped: dict[tuple[int, int], list[str]]) -> list[int]:
    pad = 2 * style.pad[1]
    heights = [style.face.step + pad] * grid.num_rows
    for e in sorted(grid.entries, key=lambda e: e.rows):
        need = max(1, len(wrapped[e.at])) * _face(e, style).step + pad
        missing = need - sum(heights[e.at[0] : e.at[0] + e.rows])
        if missing > 0:
            heights[e.at[0] + e.rows - 1] += missing
    return heights


def _ground(sheet: Sheet, e: Entry, style: TableStyle) -> Color:
    """What lies below a cell."""
    filled = (style.ruling == "filled" and e.head) or (style.ruling == "zebra" and not e.head and e.at[0] % 2 == 1)
    return style.fill if filled else sheet.paper


def _rule(
    sheet: Sheet,
    grid: Grid,
    style: TableStyle,
    places: dict[tuple[int, int], tuple[int, ...]],
    area: PixelRectangle,
) -> None:
    x1, y1, x2, y2 = area[0], area[1], area[2] - 1, area[3] - 1
    pen = sheet.pen
    for e in grid.entries:
        left, top, right, bottom = places[e.at]
        if (fill := _ground(sheet, e, style)) != sheet.paper:
            pen.rectangle((left, top, right, bottom), fill=fill)
        if style.ruling in ("grid", "filled"):
            pen.rectangle((left, top, right, bottom), outline=style.rule)
        if style.ruling in ("rows", "columns"):
            pen.line(
                (left, bottom, right, bottom) if style.ruling == "rows" else (right, top, right, bottom), style.rule
            )
    if style.ruling in ("rows", "head", "zebra"):
        pen.line((x1, y1, x2, y1), style.rule)
        pen.line((x1, y2, x2, y2), style.rule)
    if style.ruling in ("head", "frame", "columns") and any(e.head and e.at[1] == 0 for e in grid.entries):
        below = max((places[e.at][3] for e in grid.entries if e.head and e.at[0] == 0), default=y1)
        pen.line((x1, below, x2, below), style.rule)
    if style.ruling in ("frame", "columns"):
        pen.rectangle((x1, y1, x2, y2), outline=style.rule)


def _set_cell(
    sheet: Sheet,
    column: Column,
    e: Entry,
    lines: list[str],
    style: TableStyle,
    place: tuple[int, ...],
    ground: Color,
) -> tuple[str, PixelRectangle | None]:
    face = _face(e, style).like(align="right" if e.right else "center" if e.columns > 1 else "left")
    x, width = place[0] + style.pad[0] + 1, place[2] - place[0] - 2 * style.pad[0] - 1
    y = place[1] + max(style.pad[1] + 1, (place[3] - place[1] - len(lines) * face.step) // 2)
    boxes: list[PixelRectangle] = []
    for line in lines:
        box = set_line(sheet, line, face, x, y, width, ground)
        y += face.step
        if box is not None:
            boxes.append(box)
    return " ".join(lines), union(boxes) if boxes else None


def make_grid(rng: np.random.Generator, rows: int, columns: int, spans: float = 0.0, about: Sequence[str] = ()) -> Grid:
    """Heads and rows of one subject (of `about`, where one is large enough), the first column names; `spans` is how
    often cells merge."""
    pair = number(rng, 1, columns - 2) if columns > 2 and chance(rng, spans * 0.6) else None
    filling = draw_filling(rng, rows, columns, pair, about)
    entries, top = _heads(rng, filling.heads, pair)
    taken: set[tuple[int, int]] = set()
    for r in range(rows):
        for c in range(columns):
            at = (r + top, c)
            if at in taken:
                continue
            tall = 2 if c == 0 and r + 1 < rows and chance(rng, spans * 0.5) else 1
            wide = 2 if c and c + 1 < columns and (at[0], c + 1) not in taken and chance(rng, spans * 0.08) else 1
            taken |= {(at[0] + dr, c + dc) for dr in range(tall) for dc in range(wide)}
            text = pick(rng, _NOT_KNOWN) if wide > 1 else filling.rows[r][c]
            entries.append(Entry(text, at, tall, wide, right=filling.numeric[c] and wide == 1))
    return Grid(tuple(sorted(entries, key=lambda e: e.at)), rows + top, columns)


_NOT_KNOWN = ("not known", "see note", "no data", "n/a", "closed")
"""What stands over two columns that have nothing to tell."""


def _heads(rng: np.random.Generator, names: list[str], pair: int | None) -> tuple[list[Entry], int]:
    """One row of heads; or two, where a quantity stands over its two years."""
    if pair is None:
        return [Entry(name, (0, c), head=True) for c, name in enumerate(names)], 1
    year = number(rng, 2015, 2025)
    entries = [Entry(names[pair], (0, pair), columns=2, head=True)]
    for c, name in enumerate(names):
        under = pair <= c < pair + 2
        entries.append(Entry(str(year + c - pair), (1, c), head=True) if under else Entry(name, (0, c), 2, head=True))
    return entries, 2
