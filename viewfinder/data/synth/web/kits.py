"""The kind "kit_screens": screens of a real UI kit, Bootstrap in its many themes; roles, boxes and states from the DOM.

Style sheets come from the package Bootstrap-Flask, of which only files are read. Four themes are held out.
"""

import html as markup
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick, some
from viewfinder.data.synth.documents.pages import page_size
from viewfinder.data.synth.kinds import Options, Split
from viewfinder.data.synth.phrase_files import FIRST_NAMES
from viewfinder.data.synth.screens.names import BUTTONS, FIELDS, LINKS, SETTINGS, TITLES
from viewfinder.data.synth.screens.screens import Screen
from viewfinder.data.synth.web.browser import show
from viewfinder.data.synth.web.forms import screen_sample, widgets_of
from viewfinder.data.synth.web.pages import FONTS, HELD_OUT_FONTS
from viewfinder.materials.needs import require

HELD_OUT_THEMES = frozenset({"sketchy", "superhero", "minty", "lux"})
_SHADED = frozenset({"quartz", "vapor", "morph"})
"""Themes whose grounds run from color to color or glow: where their ink ends cannot be measured."""
_TONES = ("primary", "secondary", "success", "danger", "outline-primary")
_CHOICES = {"Size": ("Small", "Large"), "Color": ("Red", "Blue"), "Plan": ("Free", "Pro"), "Country": ("Italy", "Peru")}
_OUTSIDE = re.compile(r"@import url\([^)]*\);|@font-face\{[^}]*\}")
"""Fonts that a theme would load from elsewhere."""


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A screen with a question, or with the next action."""
    theme = pick(rng, find_themes(options.split))
    about = {"license": "MIT AND Apache-2.0", "lineage": ("chromium", f"bootstrap.{theme}")}
    return screen_sample(rng, render(rng, options, theme), options.difficulty, **about)


@lru_cache(maxsize=1)
def _sheets() -> dict[str, Path]:
    """Style sheets of Bootstrap 5 by theme.

    Raises:
        MissingMaterial: the package is not installed.
    """
    require("Bootstrap-Flask", what="the kind 'kit_screens'")
    spec = find_spec("flask_bootstrap")
    assert spec is not None
    folder = Path(spec.origin or "").parent / "static/bootstrap5/css"
    files = {path.parent.name: path for path in sorted(folder.glob("bootswatch/*/bootstrap.min.css"))}
    return {"plain": folder / "bootstrap.min.css", **files}


def find_themes(split: Split) -> tuple[str, ...]:
    """The themes of a split, sorted."""
    names = (name for name in _sheets() if name not in _SHADED)
    return tuple(sorted(name for name in names if (name in HELD_OUT_THEMES) == (split == "held_out")))


@lru_cache(maxsize=32)
def _style(theme: str) -> str:
    return _OUTSIDE.sub("", _sheets()[theme].read_text())


def render(rng: np.random.Generator, options: Options, theme: str) -> Screen:
    """A bar and rows of controls down a page; only controls wholly inside the picture are kept."""
    size = page_size(rng, options, least=196)
    font = pick(rng, HELD_OUT_FONTS if options.split == "held_out" else FONTS)
    em = number(rng, 12, 15 - round(2 * options.difficulty))
    title = pick(rng, TITLES)
    dark = ' data-bs-theme="dark"' if chance(rng, 0.2) else ""
    style = (
        f"html{{font-size:{em}px}}body,button,input,select{{font-family:'{font}'!important}}"
        "*{transition:none!important}"
    )
    bar = _bar(rng, title)
    rows = "".join(
        f'<div class="mb-2">{row}</div>' for row in _rows(rng, number(rng, 2, 3 + round(8 * options.difficulty)))
    )
    card = chance(rng, 0.4)
    inside = f'<div class="card"><div class="card-body p-2">{rows}</div></div>' if card else rows
    shown = show(
        f"<!DOCTYPE html><html{dark}><head><style>{_style(theme)}{style}</style></head><body>{bar}"
        f'<div class="container-fluid p-2">{inside}</div></body></html>',
        size,
    )
    return Screen(shown.image, "computer", title, widgets_of(shown, size))


def _bar(rng: np.random.Generator, title: str) -> str:
    """A bar with the title and links, or a heading."""
    if chance(rng, 0.35):
        return f'<h5 class="m-2 mb-0">{title}</h5>'
    links = "".join(
        f'<a class="text-reset small me-2" href="#" data-kind="link" data-name="{n}">{n}</a>'
        for n in some(rng, ("Home", "News", "Team", "Docs", "Blog", "Jobs"), number(rng, 0, 2))
    )
    tone = pick(rng, ("primary", "dark", "light", "secondary"))
    return (
        f'<div class="text-bg-{tone} px-2 py-1 d-flex justify-content-between"><b>{title}</b><span>{links}</span></div>'
    )


def _rows(rng: np.random.Generator, count: int) -> list[str]:
    """Rows of controls; every name is used once for each role."""
    fields, switches, buttons, links = (some(rng, pool, 2 * count) for pool in (FIELDS, SETTINGS, BUTTONS, LINKS))
    heads = some(rng, tuple(_CHOICES), len(_CHOICES))
    focus_left = chance(rng, 0.5)
    rows: list[str] = []
    for _ in range(count):
        kind = pick(rng, ("field", "field", "check", "switch", "buttons", "buttons", "link", "select"))
        if kind == "field" and fields:
            value = pick(rng, FIRST_NAMES) if chance(rng, 0.35) else ""
            rows.append(_field(rng, fields.pop(), value, focus_left and not value))
            focus_left = focus_left and bool(value)
        elif kind in ("check", "switch") and switches:
            rows.append(_tick(rng, "switch" if kind == "switch" else "checkbox", switches.pop()))
        elif kind == "select" and heads:
            rows.append(_select(heads.pop()))
        elif kind == "link" and links:
            name = links.pop()
            rows.append(f'<a href="#" data-kind="link" data-name="{name}">{name}</a>')
        elif buttons:
            names = [buttons.pop() for _ in range(min(len(buttons), number(rng, 1, 3)))]
            rows.append(_buttons(rng, names))
    return rows


def _field(rng: np.random.Generator, name: str, value: str, focused: bool) -> str:
    small = pick(rng, ("", " form-control-sm"))
    known = f'data-kind="text field" data-name="{name}" data-whole="1"' + (" autofocus" if focused else "")
    box = f'<input type="text" class="form-control{small}" {known} value="{value}">'
    if chance(rng, 0.3):
        return f'<div class="input-group"><span class="input-group-text">{name}</span>{box}</div>'
    return f'<label class="form-label mb-0">{name}</label>{box}'


def _tick(rng: np.random.Generator, role: str, name: str) -> str:
    on = " checked" if chance(rng, 0.5) else ""
    more = " form-switch" if role == "switch" else ""
    known = f'data-kind="{role}" data-name="{markup.escape(name)}" data-whole="1"'
    return (
        f'<div class="form-check{more} mb-0"><input class="form-check-input" type="checkbox" {known}{on}>'
        f'<label class="form-check-label">{markup.escape(name)}</label></div>'
    )


def _select(head: str) -> str:
    choices = "".join(f"<option>{c}</option>" for c in _CHOICES[head])
    known = f'data-kind="dropdown" data-name="{head}" data-whole="1"'
    box = f'<select class="form-select form-select-sm" {known}>{choices}</select>'
    return f'<label class="form-label mb-0">{head}</label>{box}'


def _buttons(rng: np.random.Generator, names: list[str]) -> str:
    small = pick(rng, ("", " btn-sm"))
    known = 'data-kind="button" data-name="{}" data-whole="1"'
    return " ".join(f'<button class="btn btn-{pick(rng, _TONES)}{small}" {known.format(n)}>{n}</button>' for n in names)
