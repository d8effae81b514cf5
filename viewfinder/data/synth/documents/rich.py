"""The kinds "documents" and "notations": pages with formulas, music, molecules, charts, stamps; or one such alone."""

from collections.abc import Mapping

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.charts.drawn import draw_chart
from viewfinder.data.synth.charts.figures import draw_figures
from viewfinder.data.synth.charts.questions import chart_element
from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.countries import write_date
from viewfinder.data.synth.documents import notations
from viewfinder.data.synth.documents.blocks import Block, Look
from viewfinder.data.synth.documents.lettering import Column, Face, set_line
from viewfinder.data.synth.documents.pages import BLOCKS, ask, page_size, parse, set_page
from viewfinder.data.synth.documents.sheet import Sheet
from viewfinder.data.synth.exchange import converse
from viewfinder.data.synth.grounds import camera
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.objects import cutout, find_libraries, split_names
from viewfinder.outputs.document.elements import Element, Image
from viewfinder.outputs.document.html_inline import escape


def chart(rng: np.random.Generator, sheet: Sheet, column: Column, look: Look) -> Element | None:
    """A chart as wide as the column."""
    width, height = column.width, round(column.width * float(rng.uniform(0.55, 0.8)))
    if height > column.room or width < 130:
        return None
    figures = draw_figures(rng, look.difficulty, look.split == "held_out")
    area = (column.x, column.y, column.x + width, column.y + height)
    size = min(look.size, max(9, width // (4 + 3 * len(figures.categories))))
    drawn = draw_chart(rng, sheet, area, figures, look.faces, size)
    column.y += height + 2
    return chart_element(figures, drawn.box)


def drawing(rng: np.random.Generator, sheet: Sheet, column: Column, look: Look) -> Element | None:
    """A named picture with its description."""
    library = pick(rng, find_libraries((), look.split))
    names = split_names(library, look.split)
    cut = cutout(library, pick(rng, names))
    side = min(column.width, number(rng, 3 * look.size, 7 * look.size))
    scale = side / max(cut.image.size)
    picture = cut.image.resize((max(8, round(cut.image.width * scale)), max(8, round(cut.image.height * scale))))
    if picture.height + 4 > column.room:
        return None
    x = column.x + (column.width - picture.width) // 2
    area = (x, column.y, x + picture.width, column.y + picture.height)
    sheet.image.paste(picture, area[:2], picture)
    column.y += picture.height + 4
    box = sheet.ink_box(area)
    if box is None:
        return None
    place = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
    return Image(place, place, role="caption", paragraphs=(f"A picture of {escape(cut.name)}.",))


_STAMPS = ("PAID", "COPY", "RECEIVED", "APPROVED", "URGENT", "DRAFT", "SENT", "CHECKED", "VOID", "FILED")


def stamp(rng: np.random.Generator, sheet: Sheet, column: Column, look: Look) -> Element | None:
    """A stamp: words in a colored frame, as an image with its text."""
    words = pick(rng, _STAMPS)
    if chance(rng, 0.4):
        words += (
            f" {write_date('{d} {month} {y}', number(rng, 1, 28), number(rng, 1, 12), number(rng, 2015, 2026)).upper()}"
        )
    face = Face(look.faces.bold, round(look.size * 1.1), pick(rng, ((190, 30, 40), (30, 60, 170), (20, 120, 60))), 1.1)
    if sum(sheet.paper) < 380:
        face = face.like(color=(255, 150, 150))
    width, high = round(face.width(words)) + 2 * look.size, face.step + look.size
    if width > column.width or high + 4 > column.room:
        return None
    x = column.x + number(rng, 0, column.width - width)
    area = (x, column.y, x + width, column.y + high)
    sheet.pen.rounded_rectangle(
        (x, column.y, x + width - 1, column.y + high - 1), look.size // 3, outline=face.color, width=2
    )
    set_line(sheet, words, face, x + look.size, column.y + look.size // 2)
    column.y += high + 4
    box = sheet.ink_box(area)
    if box is None:
        return None
    place = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
    return Image(place, place, role="ocr", paragraphs=(escape(words),))


RICH: Mapping[Block, float] = {
    **BLOCKS,
    notations.formula: 1.0,
    notations.music: 0.5,
    notations.molecule: 0.6,
    chart: 0.9,
    drawing: 0.7,
    stamp: 0.4,
}
ALONE: Mapping[Block, float] = {notations.formula: 2.0, notations.music: 1.0, notations.molecule: 1.2}


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A page of everything."""
    page = set_page(rng, options, mix=RICH, most=number(rng, 3, 6 + round(14 * options.difficulty)))
    image = camera(rng, page.image, options.difficulty * 0.6)
    exchange = ask(rng, page) if chance(rng, 0.25) else parse(rng, page)
    return converse([exchange], image, lineage=("typeset",))


def make_notation(rng: np.random.Generator, options: Options) -> Sample:
    """A formula, a tune or a molecule alone."""
    width, height = page_size(rng, options)
    page = set_page(rng, options, (width, max(84, height // 56 * 28)), mix=ALONE, most=number(rng, 2, 3))
    image = camera(rng, page.image, options.difficulty * 0.6)
    return converse([parse(rng, page)], image, lineage=("typeset",))
