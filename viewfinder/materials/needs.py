"""What drawing needs beyond the shipped set: packages and programs, whether they are there, and how to get them."""

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from viewfinder.errors import MissingMaterial
from viewfinder.materials.chromium import find_program


@dataclass(frozen=True)
class Need:
    """A package or a program. `is_there` looks without importing or starting it; `remedy` is what to run."""

    name: str
    is_there: Callable[[], bool]
    remedy: str


def _package(name: str, module: str, extra: str) -> Need:
    return Need(name, partial(_is_importable, module), f"pip install 'viewfinder[{extra}]'")


def _is_importable(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _can_shape() -> bool:
    from PIL import features

    return bool(features.check("raqm"))


_ALL = (
    _package("matplotlib", "matplotlib", "data"),
    _package("vl-convert-python", "vl_convert", "data"),
    _package("pygal", "pygal", "data"),
    _package("resvg-py", "resvg_py", "data"),
    _package("verovio", "verovio", "data"),
    _package("rdkit", "rdkit", "data"),
    _package("seaborn", "seaborn", "materials"),
    _package("plotly", "plotly", "materials"),
    _package("scikit-image", "skimage", "materials"),
    _package("scikit-learn", "sklearn", "materials"),
    _package("Bootstrap-Flask", "flask_bootstrap", "materials"),
    _package("playwright", "playwright", "agent"),
    Need("chromium", lambda: find_program() is not None, "apt-get install chromium, or playwright install chromium"),
    Need("shaping", _can_shape, "apt-get install libfribidi0, with which Pillow lays out Arabic, Devanagari and Thai"),
)
NEEDS = {need.name: need for need in _ALL}


def missing(names: Iterable[str]) -> tuple[Need, ...]:
    """Those of the needs that this machine lacks."""
    return tuple(NEEDS[name] for name in dict.fromkeys(names) if not NEEDS[name].is_there())


def require(*names: str, what: str = "this picture") -> None:
    """Check needs.

    Args:
        what: cannot be drawn without them, for the message.

    Raises:
        MissingMaterial: one or more are not there; names each with its remedy.
    """
    lacking = missing(names)
    if lacking:
        listed = ", ".join(need.name for need in lacking)
        remedies = "; ".join(dict.fromkeys(need.remedy for need in lacking))
        raise MissingMaterial(f"{what} cannot be drawn without {listed}, not found on this machine; {remedies}")
