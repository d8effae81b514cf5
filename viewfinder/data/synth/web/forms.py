"""The kind "web_screens": forms of real controls laid out by a browser; roles, names, boxes and states from the DOM."""

import html as markup
from typing import Any

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick, some
from viewfinder.data.synth.documents.pages import page_size
from viewfinder.data.synth.exchange import converse
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.phrase_files import FIRST_NAMES
from viewfinder.data.synth.screens.actions import act
from viewfinder.data.synth.screens.names import BUTTONS, FIELDS, LINKS, SETTINGS, TITLES
from viewfinder.data.synth.screens.screens import Screen
from viewfinder.data.synth.screens.talk import ask_screen
from viewfinder.data.synth.screens.widgets import Widget
from viewfinder.data.synth.web.browser import Shown, show
from viewfinder.data.synth.web.pages import FONTS, HELD_OUT_FONTS

_ROUND = (
    "button{border:0;border-radius:6px;background:#1a5fb4;color:#fff;padding:.45em 1em}"
    "input,select{border:1px solid #b5b5b5;border-radius:6px;padding:.35em;background:#fff}"
)
_DARK = (
    "body{background:#20222a;color:#eee}a{color:#8ab4ff}"
    "button{border:0;border-radius:3px;background:#4c8dff;color:#000;padding:.4em .8em}"
    "input,select{background:#31343f;color:#fff;border:1px solid #666;padding:.3em}"
)
_WARM = (
    "body{background:#fbf3e4}input,select{border:0;border-bottom:2px solid #7a3b00;background:transparent;padding:.3em}"
    "button{border:2px solid #7a3b00;background:#ffe2b8;border-radius:99px;padding:.3em 1.1em}"
)
SKINS = ("button{padding:.3em .9em}input,select{padding:.2em}", _ROUND, _DARK)
HELD_OUT_SKINS = (_WARM,)


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A form with a question, or with the next action."""
    return screen_sample(rng, render_form(rng, options), options.difficulty, lineage=("chromium",))


def screen_sample(rng: np.random.Generator, screen: Screen, difficulty: float, **about: Any) -> Sample:
    """The next action on a screen, or a question about it."""
    if chance(rng, 0.45):
        return act(rng, screen, difficulty, **about)
    return converse([ask_screen(rng, screen)], screen.image, **about)


def render_form(rng: np.random.Generator, options: Options) -> Screen:
    """Controls down a page; only those wholly inside the picture are kept."""
    size = page_size(rng, options, least=180)
    held_out = options.split == "held_out"
    em = number(rng, 13 - round(2 * options.difficulty), 16)
    font = pick(rng, HELD_OUT_FONTS if held_out else FONTS)
    skin = pick(rng, HELD_OUT_SKINS if held_out else SKINS)
    heading = pick(rng, TITLES)
    style = (
        f"body{{margin:10px;font:{em}px/1.3 '{font}'}}h1{{font-size:1.3em;margin:0 0 .5em}}.r{{margin:0 0 .6em}}"
        f"button,input,select{{font:inherit;outline-offset:0}}input[type=text]{{width:{number(rng, 90, 140)}px}}"
        f"label{{margin-right:.4em}}{skin}"
    )
    rows = "".join(
        f'<div class="r">{row}</div>' for row in _rows(rng, number(rng, 2, 4 + round(8 * options.difficulty)))
    )
    shown = show(
        f"<!DOCTYPE html><html><head><style>{style}</style></head><body><h1>{heading}</h1>{rows}</body></html>", size
    )
    return Screen(shown.image, "computer", heading, widgets_of(shown, size))


def widgets_of(shown: Shown, size: tuple[int, int]) -> tuple[Widget, ...]:
    """The marked controls that lie wholly inside the picture, from top to bottom."""
    widgets = [w for node in shown.nodes if (w := _widget(node, shown, size)) is not None]
    return tuple(sorted(widgets, key=lambda w: (w.box[1], w.box[0])))


def _rows(rng: np.random.Generator, count: int) -> list[str]:
    fields, switches, buttons = (some(rng, pool, count) for pool in (FIELDS, SETTINGS, BUTTONS))
    rows: list[str] = []
    focused = False
    for i in range(count):
        kind = pick(rng, ("field", "field", "check", "buttons", "link", "select"))
        if kind == "field" and i < len(fields):
            value = pick(rng, FIRST_NAMES) if chance(rng, 0.35) else ""
            focus = " autofocus" if not focused and not value and chance(rng, 0.4) else ""
            focused = focused or bool(focus)
            known = f'data-kind="text field" data-name="{fields[i]}" data-whole="1"'
            box = f'<input type="text" {known} value="{value}"{focus}>'
            rows.append(f"<label>{fields[i]}</label>{box}")
        elif kind == "check":
            name = markup.escape(switches[i % len(switches)])
            on = " checked" if chance(rng, 0.5) else ""
            rows.append(f'<input type="checkbox" data-kind="checkbox" data-name="{name}" data-whole="1"{on}> {name}')
        elif kind == "select":
            head, choices = pick(
                rng, (("Size", ("Small", "Large")), ("Color", ("Red", "Blue")), ("Plan", ("Free", "Pro")))
            )
            inside = "".join(f"<option>{c}</option>" for c in choices)
            rows.append(
                f'<label>{head}</label><select data-kind="dropdown" data-name="{head}" data-whole="1">{inside}</select>'
            )
        elif kind == "link":
            name = pick(rng, LINKS)
            rows.append(f'<a href="#" data-kind="link" data-name="{name}">{name}</a>')
        else:
            named = buttons[i : i + number(rng, 1, 2)]
            rows.append(
                " ".join(f'<button data-kind="button" data-name="{n}" data-whole="1">{n}</button>' for n in named)
            )
    return rows


def _widget(node: dict[str, Any], shown: Shown, size: tuple[int, int]) -> Widget | None:
    left, top, right, bottom = node["own"]
    if left < 0 or top < 0 or right > size[0] or bottom > size[1]:
        return None
    box = shown.ink_box(node["rect"]) if node["kind"] == "link" else None
    box = box or (int(left + 0.5), int(top + 0.5), int(right + 0.5), int(bottom + 0.5))
    value = node["value"] if node["kind"] in ("text field", "dropdown") else ""
    checked = node["checked"] if node["kind"] in ("checkbox", "switch") else None
    press = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return Widget(node["kind"], node["name"], box, press, value, checked, bool(node["focused"]))
