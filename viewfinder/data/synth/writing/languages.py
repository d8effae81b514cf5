"""Languages: words, script, names, and the fonts that can write them.

The first word of each line of `languages.txt` is the language, the second its split; some languages are held out
whole. Which of the shipped fonts write a language stands in their manifest; of a folder that is asked for, each font is
tried.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import ImageFont

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.fonts import added_files, coverage
from viewfinder.data.synth.kinds import Split
from viewfinder.errors import DataError
from viewfinder.materials.needs import require
from viewfinder.materials.shipped import fonts

NAMES: dict[str, str] = dict(
    [
        *(("en", "English"), ("fr", "French"), ("de", "German"), ("it", "Italian"), ("es", "Spanish")),
        *(("pt", "Portuguese"), ("vi", "Vietnamese"), ("ru", "Russian"), ("el", "Greek"), ("ja", "Japanese")),
        *(("zh", "Chinese"), ("ko", "Korean"), ("ar", "Arabic"), ("hi", "Hindi"), ("th", "Thai"), ("nl", "Dutch")),
        *(("pl", "Polish"), ("uk", "Ukrainian")),
    ]
)
_SHAPED = ("ar", "hi", "th")
"""Written rightly only by a layout engine that shapes letters."""
_UNSPACED = ("ja", "zh", "th")

_SCRIPTS = {"ru": "Cyrillic", "uk": "Cyrillic", "el": "Greek", "ja": "Kana", "zh": "Han", "ko": "Hangul"}
_SCRIPTS |= {"ar": "Arabic", "hi": "Devanagari", "th": "Thai"}
_LETTERS = {
    "Cyrillic": "абвгдежзиклмнопрстуфхцчшыьэюя",
    "Greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "Kana": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
    "アイウエオカキクケコサシスセソ",
    "Hangul": "가나다라마바사아자차카타파하거너더러머버서어저고노도로모보소오조구누두루무부수우주기니디리미비시이지",
}


@dataclass(frozen=True)
class Language:
    """A language: its code, split, script, and everyday words."""

    code: str
    split: str
    script: str
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return NAMES[self.code]

    @property
    def joint(self) -> str:
        """What stands between words."""
        return "" if self.code in _UNSPACED else " "


@lru_cache(maxsize=1)
def all_languages() -> dict[str, Language]:
    lines = files("viewfinder.data.synth").joinpath("languages.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line]
    return {r[0]: Language(r[0], r[1], _SCRIPTS.get(r[0], "Latin"), tuple(r[2:])) for r in rows}


def find_languages(wanted: tuple[str, ...], split: Split) -> tuple[Language, ...]:
    """Languages of a split, or of those the wanted ones.

    Held-out data may also be asked for in a language of training; its fonts are held out all the same.

    Raises:
        DataError: an unknown language, or only held-out ones for training.
    """
    known = all_languages()
    for code in wanted:
        if code not in known:
            raise DataError(f"there are no words of the language {code!r}; there are {', '.join(known)}")
    if wanted:
        fit = [known[code] for code in wanted if split == "held_out" or known[code].split == "train"]
    else:
        fit = [one for one in known.values() if one.split == split]
    if not fit:
        raise DataError(
            f"{', '.join(wanted)} are held out of training, so the split {split!r} has nothing to write; "
            "ask for other --languages, or for --held-out"
        )
    return tuple(fit)


@lru_cache(maxsize=256)
def find_fonts(code: str, split: Split, folders: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """Font files of a split that have all letters of a language, sorted: shipped ones, and those of `folders`.

    Raises:
        MissingMaterial: the language needs a layout engine that is not there.
    """
    if code in _SHAPED:
        require("shaping")
    shipped = [font.path for font in fonts("text", split) + fonts("script", split) if code in font.languages]
    letters = "".join(sorted(drawn_letters(code)))
    return (*shipped, *(path for path in added_files(folders, split) if has_letters(path, letters)))


@lru_cache(maxsize=32)
def drawn_letters(code: str) -> frozenset[str]:
    """Every letter and digit that `some_words` may draw in a language."""
    language = all_languages()[code]
    words = "".join(language.words) + _LETTERS.get(language.script, "")
    capitals = words.upper() if language.script in ("Latin", "Cyrillic", "Greek") else ""
    return frozenset(words + capitals + ("0123456789" if language.joint else ""))


@lru_cache(maxsize=1024)
def has_letters(path: Path, letters: str) -> bool:
    """Whether a font draws each of the letters, and not the box that stands for a missing one."""
    font = ImageFont.truetype(str(path), 24, layout_engine=ImageFont.Layout.BASIC)
    missing = coverage(font, "\uffff")
    return all(c.isspace() or coverage(font, c) != missing for c in letters)


@lru_cache(maxsize=512)
def open_font(path: Path, size: int, code: str) -> ImageFont.FreeTypeFont:
    """A font with the layout that the language needs."""
    engine = ImageFont.Layout.RAQM if code in _SHAPED else ImageFont.Layout.BASIC
    return ImageFont.truetype(str(path), size, layout_engine=engine)


def some_words(rng: np.random.Generator, language: Language, count: int) -> list[str]:
    """Everyday words, among them invented ones where the script allows, and numbers."""
    return [_one_word(rng, language) for _ in range(count)]


def _one_word(rng: np.random.Generator, language: Language) -> str:
    letters = _LETTERS.get(language.script)
    if letters is not None and chance(rng, 0.3):
        word = "".join(pick(rng, letters) for _ in range(number(rng, 2, 5)))
    elif chance(rng, 0.08) and language.joint:
        return str(number(rng, 0, 9999))
    else:
        word = pick(rng, language.words)
    if language.script in ("Latin", "Cyrillic", "Greek") and chance(rng, 0.25):
        return word.capitalize()
    return word
