"""Keys as models write them -> one name each, so that what is judged is what is pressed.

    "Ctrl+Return", ["ctrl", "\\n"], ["control-enter"]   ->   ("ctrl", "enter")

A name is one of `NAMES`, a function key `f1` to `f24`, or a printable character; everything else is refused, for
drivers of keyboards take other spellings (key codes, names of keysyms) that nobody has judged.
"""

import re
from collections.abc import Sequence
from typing import Any, cast

from viewfinder.errors import ViewfinderError

_SPELLINGS = {
    "ctrl": "control controlleft controlright ctrll ctrlr controll controlr",
    "alt": "option opt altleft altright altl altr altgr",
    "shift": "shiftleft shiftright shiftl shiftr",
    "super": "meta win windows cmd command superl superr metaleft metaright metal metar osleft os",
    "enter": "return ret linefeed newline kpenter numpadenter isoenter carriagereturn keypadenter",
    "space": "spacebar kpspace blank",
    "escape": "esc",
    "tab": "tabulator kptab",
    "backspace": "back bksp bs",
    "delete": "del kpdelete forwarddelete",
    "insert": "ins kpinsert",
    "home": "kphome",
    "end": "kpend",
    "pageup": "pgup prior kppageup kpprior",
    "pagedown": "pgdn pgdown next kppagedown kpnext",
    "up": "arrowup uparrow kpup",
    "down": "arrowdown downarrow kpdown",
    "left": "arrowleft leftarrow kpleft",
    "right": "arrowright rightarrow kpright",
    "capslock": "caps",
    "menu": "contextmenu apps",
    "printscreen": "prtsc print prtscn sysrq",
    "power": "",
    "+": "plus kpadd add",
    "-": "minus kpsubtract hyphen subtract",
    "=": "equal equals",
    ",": "comma",
    ".": "period dot",
    "/": "slash",
    "\\": "backslash",
    ";": "semicolon",
    "'": "apostrophe quote",
    "`": "grave backquote",
    "[": "bracketleft",
    "]": "bracketright",
}
NAMES = {spelling: name for name, others in _SPELLINGS.items() for spelling in (name, *others.split())}
"""Each spelling, in small letters without spaces, `_` and `-`, with its name."""

KEY_PATTERN = (
    "(?:" + "|".join(name for name in _SPELLINGS if len(name) > 1) + r"|f(?:[1-9]|1[0-9]|2[0-4])|[!-~\p{L}\p{S}])"
)
"""The names as a regular expression, for the grammar of a call: what it lets through, `read_keys` reads."""

_CONTROLS = {"\b": "backspace", "\x7f": "delete", "\x1b": "escape"}
_CODE = re.compile(r"(?:key|digit)([a-z0-9])")
_FUNCTION = re.compile(r"f(?:[1-9]|1\d|2[0-4])")
_PARTS = (re.compile(r"(?<=.)\+(?=.)", re.DOTALL), re.compile(r"(?<=\S)\s+(?=\S)"), re.compile(r"(?<=\S)-(?=\S)"))
"""What joins a combination: `ctrl+c`, also `ctrl++`; `ctrl c`; `ctrl-c`."""


def read_keys(keys: Any) -> tuple[str, ...]:
    """The names of keys given as a list or joined in one text, in order.

    Raises:
        ViewfinderError: a key that does not exist; the sentence can be shown to the model.
    """
    parts = cast(Sequence[Any], keys) if isinstance(keys, list | tuple) else (keys,)
    return tuple(name for part in parts for name in _names(part))


def _names(written: Any) -> tuple[str, ...]:
    if isinstance(written, int) and not isinstance(written, bool):
        written = str(written)
    if not isinstance(written, str):
        raise _unknown(written)
    if (name := _name(written)) is not None:
        return (name,)
    for joint in _PARTS:
        parts = joint.split(written)
        if len(parts) > 1 and len(written) < 200:
            return tuple(name for part in parts for name in _names(part))
    raise _unknown(written)


def _name(written: str) -> str | None:
    if written in _CONTROLS:
        return _CONTROLS[written]
    if written and not written.strip():
        return "enter" if "\n" in written or "\r" in written else "tab" if "\t" in written else "space"
    word = written.strip()
    if len(word) == 1:
        return word if word.isprintable() else None
    plain = re.sub(r"(?<=\w)[\s_-]+(?=\w)", "", word.lower())
    if code := _CODE.fullmatch(plain):
        return code[1]
    return NAMES.get(plain) or (plain if _FUNCTION.fullmatch(plain) else None)


def _unknown(written: object) -> ViewfinderError:
    return ViewfinderError(
        f"there is no key {written!r:.60}, so nothing was pressed; a key is a character, f1 to f24, or one of "
        f"{', '.join(name for name in _SPELLINGS if len(name) > 1)}"
    )
