"""Reading: words by script and by size of letters; 1 - character error rate."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from viewfinder.data.synth.fonts import find_families, load_font
from viewfinder.data.synth.words import make_word
from viewfinder.eval.answer_format import text
from viewfinder.eval.drawn import picture, suite
from viewfinder.eval.question import Question
from viewfinder.eval.scores import characters_right
from viewfinder.materials.needs import require
from viewfinder.materials.shipped import font_file
from viewfinder.messages import user
from viewfinder.outputs import prompts

SIZES = (12, 16, 24, 36)
EACH = 3
WORDS: dict[str, tuple[str, str]] = {
    "Cyrillic": ("NotoSans-Regular", "город вода книга светлый пример улица"),
    "Greek": ("NotoSans-Regular", "νερό πόλη βιβλίο δρόμος φως καλημέρα"),
    "Chinese": ("NotoSansSC-Regular", "城市 图书馆 你好 天气 火车站 春天"),
    "Japanese": ("NotoSansJP-Regular", "こんにちは 図書館 電車 さくら 東京 みず"),
    "Korean": ("NotoSansKR-Regular", "도서관 안녕 기차역 봄 날씨 물"),
    "Arabic": ("NotoSansArabic-Regular", "مدينة كتاب ماء شارع نور صباح"),
    "Devanagari": ("NotoSansDevanagari-Regular", "नगर पुस्तक पानी सड़क प्रकाश सुबह"),
    "Thai": ("NotoSansThai-Regular", "เมือง หนังสือ น้ำ ถนน แสง เช้า"),
    "Hebrew": ("NotoSansHebrew-Regular", "עיר ספר מים רחוב אור בוקר"),
}


def questions(_: Any) -> Iterator[Question]:
    rng = np.random.default_rng(20261128)
    for size in SIZES:
        for i in range(EACH):
            family, files = find_families(held_out=True)[i % len(find_families(held_out=True))]
            word = make_word(rng, 7)
            yield _question(
                f"Latin/{size}/{i}",
                rng,
                word,
                load_font(files[0], size),
                {"script": "Latin", "size": str(size), "font": family},
            )
    require("shaping", what="the suite of reading")
    for script, (file, words) in WORDS.items():
        chosen = words.split()
        for i, size in enumerate((16, 24, 36)):
            font = ImageFont.truetype(str(font_file(file)), size)
            word = chosen[int(rng.integers(len(chosen)))]
            yield _question(f"{script}/{size}/{i}", rng, word, font, {"script": script, "size": str(size)})


def _question(
    id: str, rng: np.random.Generator, word: str, font: ImageFont.FreeTypeFont, tags: dict[str, str]
) -> Question:
    """A word in black on white, in a picture of whole tokens."""
    left, top, right, bottom = font.getbbox(word)
    width = max(112, -(-(int(right - left) + 16) // 28) * 28)
    height = max(56, -(-(int(bottom - top) + 16) // 28) * 28)
    image = Image.new("RGB", (width, height), "white")
    x = int(rng.integers(4, max(5, width - int(right - left) - 4)))
    y = int(rng.integers(4, max(5, height - int(bottom - top) - 4)))
    ImageDraw.Draw(image).text((x - left, y - top), word, fill="black", font=font)
    return Question(id, (user(picture(image), prompts.read_prompt()),), word, tags)


TASKS = (
    suite(
        "reading",
        "Reading: words by script and size, 1 - character error rate",
        questions,
        text,
        characters_right,
        max_new_tokens=48,
    ),
)
