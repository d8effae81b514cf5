"""The kind "scripts": straight lines of one or two languages, to read, to spot, to find, to name the language of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick, weighted
from viewfinder.data.synth.documents.sheet import Color, Sheet, draw_palette
from viewfinder.data.synth.exchange import Exchange, converse, one_or_two
from viewfinder.data.synth.grounds import camera
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.shapes import PixelRectangle
from viewfinder.data.synth.writing.languages import Language, find_fonts, find_languages, open_font, some_words
from viewfinder.media.transform import Transform
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box, format_boxes

READ_PROMPTS = ("Read all the text in the image.", "Recognise all texts in the image, output in lines.")
CHINESE_PROMPT = "请识别出图中所有的文字。"


@dataclass(frozen=True)
class Written:
    """A line: its text, language, and the box of its ink."""

    text: str
    language: Language
    box: PixelRectangle


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A picture of lines and one or two questions."""
    image, lines = draw_lines(rng, options)
    frame = Transform.identity(image.size)
    exchanges = one_or_two(rng, lambda: ask_text(rng, lines, frame))
    language = lines[-1].language.code if lines else "en"
    return converse(exchanges, camera(rng, image, options.difficulty), language=language, lineage=("lines",))


def choose_languages(rng: np.random.Generator, options: Options) -> list[Language]:
    """One or two; mostly one in another script than Latin."""
    found = find_languages(options.languages, options.split)
    other = [one for one in found if one.script != "Latin"]
    first = pick(rng, other) if other and chance(rng, 0.7) else pick(rng, found)
    return [pick(rng, found), first] if chance(rng, 0.4) else [first]


def draw_lines(rng: np.random.Generator, options: Options) -> tuple[PillowImage.Image, list[Written]]:
    """One to several lines, each somewhere at its height; easy pictures have whole tokens."""
    hard = options.difficulty
    width, height = options.size(rng, aspect=2.5)
    if hard < 0.35:
        width, height = max(112, width // 28 * 28), max(56, height // 28 * 28)
    colors = draw_palette(rng, hard)
    sheet = Sheet((width, height), colors.paper, colors.ink, colors.accent)
    languages = choose_languages(rng, options)
    lines: list[Written] = []
    y = number(rng, 3, 10)
    for _ in range(number(rng, 1, 2 + round(6 * hard))):
        size = number(rng, 16 - round(5 * hard), 26 - round(8 * hard))
        line = _line(rng, sheet, pick(rng, languages), y, size, options)
        if line is None:
            break
        lines.append(line)
        y = line.box[3] + number(rng, 5, 16)
    return sheet.image, lines


def _line(
    rng: np.random.Generator, sheet: Sheet, language: Language, y: int, size: int, options: Options
) -> Written | None:
    font = open_font(pick(rng, find_fonts(language.code, options.split, options.fonts)), size, language.code)
    text = fitting(rng, language, font.getlength, sheet.size[0] - 12)
    left, top, right, bottom = (int(v) for v in font.getbbox(text))
    if y + bottom - top > sheet.size[1] - 4:
        return None
    x = number(rng, 6, max(6, sheet.size[0] - 6 - (right - left)))
    color: Color = sheet.accent if chance(rng, 0.2) else sheet.ink
    sheet.pen.text((x - left, y - top), text, fill=color, font=font)
    box = sheet.ink_box((x - 3, y - 2, x + right - left + 4, y + bottom - top + 3))
    return None if box is None else Written(text, language, box)


def fitting(rng: np.random.Generator, language: Language, length: Callable[[str], float], width: float) -> str:
    """Some words that fit a width; at least a part of one."""
    words = some_words(rng, language, number(rng, 1, 4))
    while len(words) > 1 and length(language.joint.join(words)) > width:
        words.pop()
    text = language.joint.join(words)
    while len(text) > 1 and length(text) > width:
        text = text[:-1]
    return text


def ask_text(rng: np.random.Generator, lines: list[Written], frame: Transform) -> Exchange:
    """Reading, spotting, finding a line, or naming the language."""
    task = weighted(rng, {"read": 4.0, "spot": 2.0, "locate": 1.0, "language": 0.8})
    texts = [line.text for line in lines]
    if task == "spot":
        boxes = [Box(*map(float, line.box), label="", text=line.text) for line in lines]
        truth = {"boxes": [list(line.box) for line in lines], "texts": texts}
        return Exchange("spot", prompts.spotting_prompt(), format_boxes(boxes, frame), "boxes", truth=truth)
    if task == "locate" and lines:
        line = pick(rng, lines)
        same = [one for one in lines if one.text == line.text]
        boxes = [Box(*map(float, one.box), label=one.text) for one in same]
        question = prompts.locate_prompt(f'the text "{line.text}"')
        return Exchange(
            "locate_text", question, format_boxes(boxes, frame), "boxes", truth={"boxes": [list(o.box) for o in same]}
        )
    names = list(dict.fromkeys(line.language.name for line in lines))
    scripts = {line.language.script for line in lines}
    if task == "language" and lines and (scripts - {"Latin"} or len(texts) > 1):
        question = "Which languages are written here?" if len(names) > 1 else "Which language is written here?"
        return Exchange("ask", question, " and ".join(names), truth={"answer": names})
    text = "\n".join(texts)
    own = prompts.read_prompt()
    chinese = any(line.language.code == "zh" for line in lines)
    question = own if chance(rng, 0.6) else CHINESE_PROMPT if chinese else pick(rng, READ_PROMPTS)
    return Exchange("read", question, text, truth={"text": text})
