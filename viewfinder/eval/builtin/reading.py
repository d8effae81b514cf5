"""Reading printed text: Latin in one to six lines, and other scripts; character error rate in percent.

Latin is drawn with held-out families. Words of other scripts are made of their letters, so that none can be guessed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from viewfinder.data.synth.fonts import find_families, load_font
from viewfinder.data.synth.words import make_line
from viewfinder.eval.answer_format import text
from viewfinder.eval.builtin.drawing import builtin
from viewfinder.eval.drawn import picture
from viewfinder.eval.metrics import edit_distance
from viewfinder.eval.question import Question
from viewfinder.eval.scores import characters_right
from viewfinder.eval.task import Scored, Task
from viewfinder.materials.shipped import font_file
from viewfinder.messages import user
from viewfinder.outputs import prompts

LINES, PIXELS = (1, 6), (14, 32)
WIDTHS, TALLEST = (112, 140, 168, 196, 224, 280), 280

ALPHABETS: dict[str, tuple[str, str]] = {
    "Cyrillic": ("NotoSans-Regular", "абвгдежзиклмнопрстуфхцчшщыьэюя"),
    "Greek": ("NotoSans-Regular", "αβγδεζηθικλμνξοπρσςτυφχψω"),
    "Chinese": (
        "WenQuanYiMicroHei-Regular",
        "人大中国上下天地水火山石田土木日月年明星文字书门车马牛羊鱼鸟花草",
    ),
    "Japanese": (
        "NotoSansJP-Regular",
        "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめも",
    ),
    "Korean": (
        "NotoSansKR-Regular",
        "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허고노도로",
    ),
}


def read_latin(rng: np.random.Generator, number: int) -> Question | None:
    """Held-out fonts on a plain page; lines that would not fit are not drawn."""
    families = find_families(held_out=True)
    family, files = families[int(rng.integers(len(families)))]
    size = int(rng.integers(PIXELS[0], PIXELS[1] + 1))
    font = load_font(files[int(rng.integers(len(files)))], size)
    width = int(rng.choice(WIDTHS))
    lines = [make_line(rng, max(3, int(width / size * 1.6))) for _ in range(int(rng.integers(LINES[0], LINES[1] + 1)))]
    kept = [line for line in lines if font.getlength(line) <= width - 12]
    tags = {"font": family, "pixels": _band(size)}
    return _question(rng, number, kept, font, width, tags)


def read_scripts(rng: np.random.Generator, number: int) -> Question | None:
    """Another script, one or two lines of one to three words."""
    scripts = list(ALPHABETS)
    script = scripts[number % len(scripts)]
    file, letters = ALPHABETS[script]
    size = int(rng.integers(16, PIXELS[1] + 1))
    font = ImageFont.truetype(str(font_file(file)), size)
    longest = 4 if script in ("Chinese", "Japanese", "Korean") else 7
    lines = []
    for _ in range(int(rng.integers(1, 3))):
        words = [
            "".join(letters[int(i)] for i in rng.integers(len(letters), size=int(rng.integers(1, longest + 1))))
            for _ in range(int(rng.integers(1, 3)))
        ]
        lines.append(" ".join(words))
    width = int(rng.choice(WIDTHS))
    kept = [line for line in lines if font.getlength(line) <= width - 12]
    return _question(rng, number, kept, font, width, {"script": script, "pixels": _band(size)})


def _band(size: int) -> str:
    return next(f"{low}-{high}" for low, high in ((14, 18), (19, 24), (25, 32)) if size <= high)


def _question(
    rng: np.random.Generator,
    number: int,
    lines: Sequence[str],
    font: ImageFont.FreeTypeFont,
    width: int,
    tags: dict[str, str],
) -> Question | None:
    """Lines down a page of whole tokens."""
    ascent, descent = font.getmetrics()
    step = round((ascent + descent) * float(rng.uniform(1.0, 1.25)))
    lines = lines[: max(1, (TALLEST - 12) // step)]
    if not lines or ascent + descent + 12 > TALLEST:
        return None
    height = min(TALLEST, -(-(step * len(lines) + 12) // 28) * 28)
    dark, light = int(rng.integers(0, 70)), int(rng.integers(215, 256))
    image = Image.new("RGB", (width, height), (light, light, light))
    pen = ImageDraw.Draw(image)
    y = int(rng.integers(4, max(5, height - step * len(lines) - 4)))
    for line in lines:
        pen.text((6, y), line, fill=(dark, dark, dark), font=font)
        y += step
    truth = "\n".join(lines)
    tags = {**tags, "lines": str(len(lines))}
    return Question(f"{number}", (user(picture(image), prompts.read_prompt()),), truth, tags)


def error_rate(scored: Sequence[Scored]) -> dict[str, float]:
    """Edits over characters of all pages together, and pages without an error, percent."""
    edits = sum(edit_distance(str(s.prediction or ""), s.truth) for s in scored)
    whole = sum(s.prediction == s.truth for s in scored)
    characters = sum(len(s.truth) for s in scored)
    return {"score": 100 * edits / max(1, characters), "without error": 100 * whole / max(1, len(scored))}


_FIELDS: dict[str, Any] = {"total": error_rate, "better": "lower", "max_new_tokens": 160}
TASKS: tuple[Task, ...] = (
    builtin(
        "read_latin",
        "Read 1-6 lines of 14-32 pixels, character error rate",
        read_latin,
        text,
        characters_right,
        **_FIELDS,
    ),
    builtin(
        "read_scripts", "Read other scripts, character error rate", read_scripts, text, characters_right, **_FIELDS
    ),
)
