"""Languages: words, script, names, and the fonts that can write them.

The first word of each line of `languages.txt` is the language, the second its split; some languages are held out
whole. Whether a font has the letters is tried with the font itself, so any set of installed fonts works; a language
that none can write is left out.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import ImageFont, features

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.fonts import FONT_DIRECTORIES
from viewfinder.data.synth.kinds import Split
from viewfinder.errors import DataError

NAMES = dict(
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

_FONTS: dict[str, tuple[str, ...]] = {
    "Latin": ("DejaVuSans", "DejaVuSerif", "NotoSans-", "NotoSerif-", "LiberationSans-", "LiberationSerif-", "Lato-"),
    "Cyrillic": ("DejaVuSans", "DejaVuSerif", "NotoSans-", "NotoSerif-", "LiberationSans-", "OpenSans-", "PTS55F"),
    "Greek": (
        "DejaVuSans",
        "DejaVuSerif",
        "NotoSans-",
        "NotoSerif-",
        "LiberationSans-",
        "LiberationSerif-",
        "FreeSans",
    ),
    "Kana": ("ipag", "wqy-microhei", "NotoSansCJK", "fonts-japanese-gothic", "VL-Gothic"),
    "Han": ("wqy-microhei", "NotoSansCJK", "NotoSerifCJK", "ukai", "uming"),
    "Hangul": ("Nanum", "NotoSansCJK", "baekmuk"),
    "Arabic": ("DejaVuSans", "NotoNaskhArabic-", "NotoSansArabic-", "NotoKufiArabic-", "Kacst"),
    "Devanagari": ("NotoSansDevanagari-", "NotoSerifDevanagari-", "gargi", "nakula"),
    "Thai": ("NotoSansThai-", "NotoSerifThai-", "Loma", "Waree"),
}
_HELD_OUT_FONTS: dict[str, tuple[str, ...]] = {
    "Latin": ("FreeSerif", "Cantarell-", "Cabin-"),
    "Cyrillic": ("FreeSerif", "FreeSans"),
    "Greek": ("FreeSerif", "GFSArtemisia", "GFSNeohellenic"),
    "Kana": ("ipam",),
    "Han": ("wqy-zenhei",),
    "Hangul": ("UnBatang", "UnDotum"),
    "Arabic": ("amiri", "Amiri"),
    "Devanagari": ("Lohit-Devanagari",),
    "Thai": ("Garuda",),
}
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
    """Languages of a split that can be written here, or of those the wanted ones.

    Held-out data may also be asked for in a language of training; its fonts are held out all the same.

    Raises:
        DataError: an unknown language, a held-out one for training, or one that no font here can write.
    """
    known = all_languages()
    for code in wanted:
        if code not in known:
            raise DataError(f"there are no words of the language {code!r}; there are {', '.join(known)}")
    if wanted:
        fit = [known[code] for code in wanted if split == "held_out" or known[code].split == "train"]
    else:
        fit = [one for one in known.values() if one.split == split]
    found = tuple(one for one in fit if find_fonts(one.code, split))
    if not found:
        raise DataError(
            f"no language of {', '.join(wanted) or 'all'} is of the split {split!r} and has an installed font; "
            "install fonts (Debian: fonts-noto-core, fonts-wqy-microhei, fonts-ipafont-gothic, fonts-nanum)"
        )
    return found


@lru_cache(maxsize=64)
def find_fonts(code: str, split: Split, directories: tuple[Path, ...] = FONT_DIRECTORIES) -> tuple[Path, ...]:
    """Font files of a split that have all letters of a language, sorted."""
    language = all_languages()[code]
    if code in _SHAPED and not features.check("raqm"):
        return ()
    starts = (_HELD_OUT_FONTS if split == "held_out" else _FONTS)[language.script]
    paths = sorted(path for directory in directories for path in directory.rglob("*.[ot]t[fc]"))
    named = [path for path in paths if path.stem.startswith(starts) and not _is_odd(path.stem)]
    letters = "".join(sorted(set("".join(language.words))))
    return tuple(path for path in named if has_letters(path, letters))


def _is_odd(stem: str) -> bool:
    return any(word in stem for word in ("Condensed", "ExtraLight", "Thin", "Light", "Symbols", "Mono", "Math", "Pen"))


@lru_cache(maxsize=1024)
def has_letters(path: Path, letters: str) -> bool:
    """Whether a font draws each of the letters, and not the box that stands for a missing one."""
    font = ImageFont.truetype(str(path), 24, layout_engine=ImageFont.Layout.BASIC)
    missing = bytes(font.getmask("\uffff"))
    return all(c.isspace() or bytes(font.getmask(c)) != missing for c in letters)


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
