"""The kind "tables": one table, its HTML, and questions about its cells."""

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import number, pick, weighted
from viewfinder.data.synth.documents.lettering import Column, Face, draw_faces
from viewfinder.data.synth.documents.pages import page_size
from viewfinder.data.synth.documents.sheet import Sheet, draw_palette
from viewfinder.data.synth.documents.tables import DrawnTable, draw_style, draw_table, make_grid
from viewfinder.data.synth.exchange import Exchange, converse, one_or_two
from viewfinder.data.synth.grounds import camera
from viewfinder.data.synth.kinds import Options
from viewfinder.media.transform import Transform
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.document.document import Document, Page


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A table and one or two questions."""
    sheet, table = draw_one_table(rng, options)
    frame = Transform.identity(sheet.size)
    exchanges = one_or_two(rng, lambda: _ask(rng, table, frame))
    image = camera(rng, sheet.image, options.difficulty * 0.6)
    return converse(exchanges, image, lineage=("typeset",))


def draw_one_table(rng: np.random.Generator, options: Options) -> tuple[Sheet, DrawnTable]:
    """A table on a sheet that is hardly larger."""
    hard = options.difficulty
    width, height = page_size(rng, options)
    while True:
        colors = draw_palette(rng, hard, printed=True)
        sheet = Sheet((width, height), colors.paper, colors.ink, colors.accent)
        em = number(rng, 14 - round(4 * hard), 17 - round(4 * hard))
        faces = draw_faces(rng, options.split, options.fonts)
        face = Face(faces.plain, em, sheet.ink, 1.1)
        style = draw_style(rng, sheet, face, face.like(path=faces.bold), options.split, tight=width < 300)
        columns = min(number(rng, 2, 3 + round(4 * hard)), max(2, width // (5 * em)))
        rows = number(rng, 1, max(2, min(4 + round(14 * hard), (height - 20) // (face.step + 8) - 1)))
        grid = make_grid(rng, rows, columns, spans=hard)
        edge = number(rng, 3, 12)
        column = Column(edge, edge, width - 2 * edge, height - edge)
        table = draw_table(sheet, column, grid, style)
        if table is not None:
            used = min(height, column.y + edge)
            sheet.image = sheet.image.crop((0, 0, width, min(height, -(-used // 28) * 28) if hard < 0.35 else used))
            return sheet, table


def _ask(rng: np.random.Generator, table: DrawnTable, frame: Transform) -> Exchange:
    task = weighted(rng, {"parse": 4.0, "cell": 2.5, "find": 0.8, "size": 0.5, "place": 1.0})
    grid = table.grid
    top = 1 + max((e.at[0] + e.rows - 1 for e in grid.entries if e.head), default=-1)
    if task in ("cell", "place", "find"):
        r, c = number(rng, top, grid.num_rows - 1), number(rng, 1, grid.num_columns - 1)
        name, head, entry = grid.entry(r, 0), grid.entry(max(0, top - 1), c), grid.entry(r, c)
        row_words, value = table.cells[name.at][0], table.cells[entry.at]
        names = [table.cells[e.at][0] for e in grid.entries if e.at[1] == 0 and not e.head]
        if name.rows == 1 and entry.columns == 1 and names.count(row_words) == 1 and value[1] is not None and head.head:
            column_words = _head_of(table, c)
            if task == "find":
                return (
                    Exchange(
                        "ask",
                        f"In which column does {value[0]} stand?",
                        column_words,
                        truth={"answer": column_words},
                    )
                    if _alone(table, value[0])
                    else _parse(table, frame)
                )
            if task == "place":
                phrase = (
                    f'the cell "{value[0]}"'
                    if _alone(table, value[0])
                    else f'the cell under "{column_words}" for {row_words}'
                )
                box = Box(*map(float, value[1]), label=value[0])
                truth = {"boxes": [list(value[1])]}
                return Exchange(
                    "locate", prompts.locate_prompt(phrase), format_boxes([box], frame), "boxes", truth=truth
                )
            asked = ('What is the value of "{}" for {}?', 'What stands under "{}" for {}?')
            question = pick(rng, asked).format(column_words, row_words)
            return Exchange("ask", question, value[0], truth={"answer": value[0]})
    if task == "size":
        counted, words = pick(rng, ((grid.num_columns, "columns"), (grid.num_rows, "rows")))
        return Exchange("ask", f"How many {words} does the table have?", str(counted), truth={"answer": str(counted)})
    return _parse(table, frame)


def _head_of(table: DrawnTable, column: int) -> str:
    """A column's head; `Price in 2024` where a year stands below what it is the year of."""
    over = table.grid.entry(0, column)
    words = table.cells[over.at][0]
    return words if over.columns == 1 else f"{words} in {table.cells[table.grid.entry(1, column).at][0]}"


def _alone(table: DrawnTable, words: str) -> bool:
    return sum(text == words for text, _ in table.cells.values()) == 1


def _parse(table: DrawnTable, frame: Transform) -> Exchange:
    page = Page((table.element(),), frame)
    truth = {"rows": table.element().grid(), "boxes": [list(table.box)]}
    return Exchange("parse", prompts.parse_prompt(), Document((page,)).to_html(fenced=True), "html", truth=truth)
