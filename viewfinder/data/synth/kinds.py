"""Every kind of generated sample by name, and how one is made: kind, seed and number decide it fully.

A kind is one function `make(rng, options) -> Sample` in a module of its own beside this one, and one `Kind` in `_ALL`
below; `viewfinder data build`, the gallery, the benches and the tests of all kinds take it from there. The function

- draws every choice from `rng` and nothing else (no clock, no global state, no set order): the same generator gives
  the same bytes, in any process;
- keeps to `options`: sizes, difficulty, languages, and the split. "train" must not touch a held-out font, category,
  layout or language and "held_out" must use one wherever the kind has such a choice, so the two never share any;
- returns a `Sample` with messages that end with an assistant turn, `task`, `truth`, `language`, `license` of the media,
  and `forms` for each message that holds places (pixels of the original). `id`, `seed`, the first entry of `lineage`
  and the tag of the split are added here;
- is imported only when used, so a heavy import stands at the top of its own module and is named in `needs`, as is
  whatever else a machine may lack (`materials.needs`); fonts and pictures are those of the shipped set;
- raises `DataError` when it cannot make that sample; the row goes to the quarantine with the reason. What a machine
  lacks is `MissingMaterial`, checked before the first sample, and ends the work.

When what a kind draws changes, its `version` goes up by one. `viewfinder data kinds` lists them.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Literal

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.errors import DataError
from viewfinder.materials.needs import require

Split = Literal["train", "held_out"]


@dataclass(frozen=True)
class Options:
    """What a kind may be told; each uses what it understands.

    Attributes:
        min_side, max_side: of a picture, pixels (both sides lie between them, aspect at most 1 to 3).
        difficulty: 0 (few, large, plain) to 1 (many, small, cluttered).
        split: "train" leaves out held-out fonts, categories, layouts and languages; "held_out" uses only those.
        languages: ISO 639-1; none means each kind's own choice.
        objects: libraries of named pictures (see `objects`); none means the shipped one.
        fonts: folders of fonts that Pillow draws with beside the shipped ones (see `fonts`).
    """

    min_side: int = 112
    max_side: int = 336
    difficulty: float = 0.5
    split: Split = "train"
    languages: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    fonts: tuple[str, ...] = ()

    def size(self, rng: np.random.Generator, aspect: float = 3.0) -> tuple[int, int]:
        """A (width, height), even over areas and aspects."""
        low, high = np.log(self.min_side), np.log(max(self.max_side, self.min_side) + 0.99)
        while True:
            width, height = (int(np.exp(rng.uniform(low, high))) for _ in range(2))
            if max(width, height) <= aspect * min(width, height):
                return width, height

    def between(self, rng: np.random.Generator, easy: int, hard: int) -> int:
        """A whole number from `easy` up to what the difficulty allows on the way to `hard`."""
        top = easy + (hard - easy) * self.difficulty
        return int(rng.integers(min(easy, round(top)), max(easy, round(top)) + 1))


SampleGenerator = Callable[[np.random.Generator, Options], Sample]


@dataclass(frozen=True)
class Kind:
    """A kind: where its generator is, what it makes, and the version of its output.

    Attributes:
        needs: names of `materials.needs` beyond the shipped set.
        unless_objects: whether libraries that are named with `Options.objects` take the place of `needs`.
    """

    name: str
    place: str
    about: str
    needs: tuple[str, ...] = ()
    version: int = 1
    unless_objects: bool = False

    def check(self, options: "Options | None" = None) -> None:
        """See that all is there before anything is drawn.

        Raises:
            MissingMaterial: what the kind needs is not on this machine.
        """
        if not (self.unless_objects and options is not None and options.objects):
            require(*self.needs, what=f"the kind {self.name!r}")

    def generator(self) -> SampleGenerator:
        """The function, imported now.

        Raises:
            MissingMaterial: what the kind needs is not on this machine.
        """
        module, _, name = self.place.partition(":")
        try:
            return getattr(import_module(f"viewfinder.data.synth.{module}"), name)
        except ImportError:
            self.check()
            raise


_ALL = (
    Kind(
        "grounding",
        "grounding:make",
        "named objects pasted on grounds: boxes, points, counts, referring, absent, regions",
        version=2,
    ),
    Kind(
        "photos",
        "photos.wall:make",
        "real photographs side by side, or objects pasted on one: the tasks of grounding",
        ("scikit-image", "scikit-learn", "matplotlib"),
        unless_objects=True,
        version=2,
    ),
    Kind(
        "pages",
        "documents.pages:make",
        "pages of text, lists, tables and figures: QwenVL HTML, reading, parts",
        version=3,
    ),
    Kind(
        "receipts",
        "documents.receipts:make",
        "tills' slips: values by JSON with or without places, questions",
        version=3,
    ),
    Kind(
        "forms",
        "documents.forms:make",
        "filled forms, some by hand, with boxes to tick: values, questions, places",
        version=3,
    ),
    Kind(
        "invoices",
        "documents.invoices:make",
        "who bills whom for what: values by JSON with or without places, questions",
        version=3,
    ),
    Kind(
        "tables",
        "documents.table_questions:make",
        "one table, cells merged when harder: HTML, cells, places",
        version=3,
    ),
    Kind(
        "charts",
        "charts.drawn:make",
        "bars, lines and sectors drawn plainly: tables, values, sums, places of bars",
        version=3,
    ),
    Kind(
        "screens",
        "screens.talk:make",
        "windows and phones of widgets: finding, states, captions, the next action",
        version=3,
    ),
    Kind("compare", "several.compare:make", "several pictures: which one, how many, what they share", version=2),
    Kind("relations", "several.relations:make", "shapes and how they stand: sides, sizes, order, sameness, counts"),
    Kind(
        "scripts",
        "writing.lines:make",
        "straight lines in many languages: reading, spotting, naming the language",
        ("shaping",),
        version=2,
    ),
    Kind(
        "signs",
        "writing.wild:make",
        "signs in perspective on backgrounds in many languages: reading, spotting",
        ("shaping",),
        version=2,
    ),
    Kind(
        "documents",
        "documents.rich:make",
        "pages with formulas, music, molecules, charts, pictures and stamps: QwenVL HTML",
        ("matplotlib", "verovio", "rdkit", "resvg-py"),
        version=4,
    ),
    Kind(
        "notations",
        "documents.rich:make_notation",
        "formulas, tunes and molecules alone: LaTeX, ABC, SMILES",
        ("matplotlib", "verovio", "rdkit", "resvg-py"),
        version=4,
    ),
    Kind(
        "videos",
        "videos.talk:make",
        "clips of events at many rates: moments in seconds, dense captions, order",
        version=2,
    ),
    Kind("maths", "several.maths:make", "figures with labelled parts, answers worked out step by step", version=2),
    Kind("text", "several.texts:make", "words alone: sums, orders, letters, data, small programs", version=2),
    Kind(
        "web_pages",
        "web.pages:make",
        "pages laid out by a browser: QwenVL HTML, reading, parts",
        ("playwright", "chromium"),
        version=4,
    ),
    Kind(
        "web_screens",
        "web.forms:make",
        "forms of real controls in a browser: finding, actions",
        ("playwright", "chromium"),
        version=3,
    ),
    Kind(
        "kit_screens",
        "web.kits:make",
        "screens of a UI kit (Bootstrap in 24 themes) in a browser: finding, states, actions",
        ("playwright", "chromium", "Bootstrap-Flask"),
        version=2,
    ),
    Kind(
        "plots",
        "charts.libraries:make",
        "charts of plotting libraries: tables, values, sums",
        ("matplotlib", "vl-convert-python", "pygal", "resvg-py"),
        version=4,
    ),
    Kind(
        "plots_seaborn",
        "charts.seaborn_plots:make",
        "charts of seaborn: tables, values, sums",
        ("seaborn",),
        version=2,
    ),
    Kind(
        "plots_plotly",
        "charts.plotly_plots:make",
        "charts of plotly in a browser: tables, values, sums",
        ("plotly", "playwright", "chromium"),
        version=3,
    ),
    Kind(
        "shapes",
        "questions:make",
        "named shapes and text on plain grounds: locate, point, count, read, ask",
        version=4,
    ),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}


def find_kind(name: str) -> Kind:
    """The kind of that name.

    Raises:
        DataError: there is none.
    """
    if name not in KINDS:
        raise DataError(f"there is no kind {name!r}; the kinds are {', '.join(KINDS)}")
    return KINDS[name]


def make(name: str, seed: int, number: int, options: Options) -> Sample:
    """Sample `number` of a kind; the same for the same arguments, on any machine.

    Raises:
        DataError: no such kind, or this sample cannot be made.
        MissingMaterial: what the kind needs is not on this machine.
    """
    kind = find_kind(name)
    rng = np.random.default_rng((seed, zlib.crc32(name.encode()), number))
    sample = kind.generator()(rng, options)
    return replace(
        sample,
        id=f"{name}-{seed}-{number}",
        seed=(seed, number),
        lineage=(f"synth.{name}@{kind.version}", *sample.lineage),
        tags=(*sample.tags, f"split:{options.split}"),
    )
