"""The kind "forms": labels and what was filled in, on lines, in boxes, behind colons, with boxes to tick."""

from collections.abc import Sequence

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick, some
from viewfinder.data.synth.countries import any_firm, draw_country, fill_digits, write_date
from viewfinder.data.synth.documents.lettering import Column, Face, draw_faces, draw_hand, set_line
from viewfinder.data.synth.documents.pages import page_size
from viewfinder.data.synth.documents.sheet import Sheet, draw_palette
from viewfinder.data.synth.documents.values import Leaf, ValuePage, page_sample
from viewfinder.data.synth.kinds import Options

LAYOUTS = ("colon", "line", "box")
HELD_OUT_LAYOUTS = ("above", "ruled")
TITLES = {
    "Registration": ("name company street city phone email date number", "Member New Student"),
    "Application": ("name birthday age street city phone email date", "New Student Urgent"),
    "Order form": ("name company street city phone email date number amount", "Express Gift Paid"),
    "Member card": ("name birthday city date number amount", "Student Paid New"),
    "Visitor pass": ("name company date number seat phone", "Member Return"),
    "Booking": ("name street city phone email date seat amount number", "Paid Return Member"),
    "Claim": ("name street city phone date number amount email", "Urgent Return"),
    "Delivery": ("name company street city phone date number", "Express Gift Return Paid"),
}
"""What is asked for on each form, and what may be ticked."""


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A form and one or two questions about it."""
    return page_sample(rng, options, draw_form(rng, options), most=8)


_LABELS: dict[str, tuple[str, ...]] = {
    "name": ("Name", "Full name", "Customer"),
    "company": ("Company", "Firm", "Employer"),
    "street": ("Street", "Address"),
    "city": ("City", "Town"),
    "phone": ("Phone", "Tel."),
    "email": ("Email", "E-mail"),
    "date": ("Date", "Issued"),
    "birthday": ("Born", "Birthday", "Date of birth"),
    "number": ("No.", "Number", "ID"),
    "amount": ("Amount", "Fee", "Price"),
    "age": ("Age",),
    "seat": ("Seat", "Room"),
}


_SPOKEN = {
    "Phone": "phone number", "Tel.": "phone number", "No.": "number", "ID": "ID", "Issued": "date of issue",
    "Born": "date of birth", "Email": "email address", "E-mail": "email address", "Customer": "name of the customer",
    }  # fmt: skip
"""How what stands behind a label is called in a question, where the label's own words do not say it."""


def _filled_in(rng: np.random.Generator) -> dict[str, str]:
    """What one person of one country wrote: the age fits the birthday, the address the city."""
    country = draw_country(rng)
    person = country.person(rng)
    style, year = country.date_style(rng), number(rng, 2014, 2026)
    born = year - number(rng, 18, 79)
    days = [(number(rng, 1, 28), number(rng, 1, 12)) for _ in range(2)]
    passed = (days[0][1], days[0][0]) >= (days[1][1], days[1][0])  # this year's birthday, on the day of the form
    return {
        "name": person.name,
        "company": any_firm(rng, country),
        "street": person.street,
        "city": person.city,
        "phone": person.phone,
        "email": person.email,
        "date": write_date(style, *days[0], year),
        "birthday": write_date(style, *days[1], born),
        "number": fill_digits(rng, pick(rng, ("######", "A-####", f"{year}-###", "K####"))),
        "amount": country.money(country.amount(number(rng, 5, 900) * 100)),
        "age": str(year - born - (not passed)),
        "seat": f"{number(rng, 1, 40)}{pick(rng, 'ABCDEF')}",
    }


def draw_form(rng: np.random.Generator, options: Options) -> ValuePage:
    """A form of two to many fields."""
    size = page_size(rng, options)
    hard = options.difficulty
    colors = draw_palette(rng, hard, printed=True)
    sheet = Sheet(size, colors.paper, colors.ink, colors.accent)
    em = number(rng, 14 - round(3 * hard), 17 - round(4 * hard))
    faces = draw_faces(rng, options.split, options.fonts)
    label = Face(faces.bold if chance(rng, 0.4) else faces.plain, em, sheet.ink, 1.3)
    filled = label.like(path=faces.plain)
    title = pick(rng, sorted(TITLES))
    keys, ticks = (part.split() for part in TITLES[title])
    written = _filled_in(rng)
    if chance(rng, 0.15 + 0.5 * hard) and (hand := draw_hand(rng, options.split, "".join(written.values()))):
        blue = (20, 40, 140) if sum(sheet.paper) > 380 else (150, 190, 255)
        filled = Face(hand, round(em * 1.25), blue, 1.2)
    margin = number(rng, 8, 8 + em)
    column = Column(margin, margin, size[0] - 2 * margin, size[1] - margin)
    form = ValuePage(sheet.image)
    if chance(rng, 0.7):
        _title(rng, title, sheet, column, form, Face(faces.head, round(em * 1.3), sheet.accent, 1.2))
    layout = pick(rng, LAYOUTS if options.split == "train" else HELD_OUT_LAYOUTS)
    wanted = number(rng, 2, 3 + round(9 * hard))
    gap = number(rng, 3, em)
    for key in sorted(some(rng, keys, wanted + 2), key=keys.index):
        if chance(rng, 0.12):
            _tick(rng, ticks, sheet, column, form, label)
        if _field(rng, sheet, column, form, key, written[key], layout, (label, filled)):
            column.y += gap
            wanted -= 1
        if not wanted:
            break
    form.absent = tuple(key for key in _LABELS if key not in form.values)
    form.image = sheet.cut_below(column.y + margin + number(rng, 0, 30), whole=hard < 0.35)
    return form


def _title(rng: np.random.Generator, text: str, sheet: Sheet, column: Column, form: ValuePage, face: Face) -> None:
    if face.width(text) > column.width:
        return
    box = set_line(sheet, text, face.like(align=pick(rng, ("left", "center"))), column.x, column.y, column.width)
    if box is not None:
        form.values["title"] = Leaf(text, box)
        form.lines.append(text)
    column.y += face.step + face.size // 2


def _field(
    rng: np.random.Generator,
    sheet: Sheet,
    column: Column,
    form: ValuePage,
    key: str,
    value: str,
    layout: str,
    faces: tuple[Face, Face],
) -> bool:
    """A label and its value; False (nothing drawn) when there is no room."""
    label, filled = faces
    words = _LABELS[key][0] if chance(rng, 0.5) else pick(rng, _LABELS[key])
    step = max(label.step, filled.step) + 4
    above = layout == "above"
    offset = 0 if above else round(label.width(words + ":")) + label.size // 2
    room = column.width - offset - 8
    if filled.width(value) > room or column.room < (step + label.step if above else step):
        return False
    set_line(sheet, f"{words}:" if layout == "colon" else words, label, column.x, column.y + (0 if above else 2))
    if above:
        column.y += label.step
    x, y = column.x + offset, column.y
    right = column.x + column.width
    rule = tuple((a + b) // 2 for a, b in zip(sheet.paper, sheet.ink, strict=True))
    if layout == "line":
        sheet.pen.line((x, y + step - 1, right, y + step - 1), rule)
    elif layout in ("box", "above"):
        sheet.pen.rectangle((x, y, right, y + step - 1), outline=rule)
    elif layout == "ruled":
        sheet.pen.rectangle((column.x - 3, y, right, y + step - 1), outline=rule)
        sheet.pen.line((x - 3, y, x - 3, y + step - 1), rule)
    # the value's own ink: drawn on a clean sheet of the same color, since rules may touch the letters' room
    box = _ink_alone(sheet, value, filled, x + 4, y + 2, step - 4)
    column.y += step
    form.values[key] = Leaf(value, box)
    form.names[key] = _SPOKEN.get(words, words.lower())
    form.lines.append(f"{words}{':' if layout == 'colon' else ''} {value}")
    return True


def _ink_alone(sheet: Sheet, text: str, face: Face, x: int, y: int, height: int) -> tuple[int, int, int, int]:
    """Set a line and measure it apart from what stands around it."""
    y += (height - face.step) // 2
    apart = Sheet(sheet.size, sheet.paper, sheet.ink)
    box = set_line(apart, text, face, x, y)
    set_line(sheet, text, face, x, y)
    assert box is not None
    return box


def _tick(
    rng: np.random.Generator, ticks: Sequence[str], sheet: Sheet, column: Column, form: ValuePage, face: Face
) -> None:
    """A box, ticked or not, before its words: a truth value, its place the box."""
    words = pick(rng, ticks)
    key = words.lower()
    if column.room < 2 * face.step or key in form.values:
        return
    side = round(face.size * 0.85)
    top = column.y + (face.step - side) // 2
    area = (column.x, top, column.x + side, top + side)
    sheet.pen.rectangle(area, outline=sheet.ink)
    ticked = chance(rng, 0.5)
    if ticked:
        third = side // 3
        x1, y1, x2, y2 = area
        sheet.pen.line(
            [(x1 + 2, y1 + third + 2), (x1 + third + 1, y2 - 3), (x2 - 2, y1 + 3)], sheet.accent, max(2, side // 7)
        )
    set_line(sheet, words, face, column.x + side + face.size // 2, column.y)
    column.y += face.step + 2
    form.values[key] = Leaf(ticked, (area[0], area[1], area[2] + 1, area[3] + 1))
    form.names[key] = f'box "{words}"'
    form.lines.append(words)
