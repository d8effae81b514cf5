"""Every spelling of a key is one name; what is no key is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.errors import ViewfinderError
from viewfinder.outputs.keys import NAMES, read_keys


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("ctrl+c", ("ctrl", "c")),
        (["Ctrl", "C"], ("ctrl", "C")),
        ("ctrl c", ("ctrl", "c")),
        ("ctrl-c", ("ctrl", "c")),
        ("Control + Shift + Esc", ("ctrl", "shift", "escape")),
        ("ctrl++", ("ctrl", "+")),
        ("ctrl+-", ("ctrl", "-")),
        ("+", ("+",)),
        ("-", ("-",)),
        (" ", ("space",)),
        ("space bar", ("space",)),
        ("\n", ("enter",)),
        ("\r\n", ("enter",)),
        ("KP_Enter", ("enter",)),
        ("NumpadEnter", ("enter",)),
        ("Enter ", ("enter",)),
        ("\t", ("tab",)),
        ("Page_Up", ("pageup",)),
        ("ArrowLeft", ("left",)),
        ("KeyA", ("a",)),
        ("F12", ("f12",)),
        ("é", ("é",)),
        ([5], ("5",)),
        (["ctrl+enter"], ("ctrl", "enter")),
        ([], ()),
    ],
)
def test_spellings(written: object, keys: tuple[str, ...]) -> None:
    assert read_keys(written) == keys
    assert read_keys(keys) == keys


NO_KEYS = ["", [""], "36", "0xff0d", "XF86PowerOff", "++", "ctrl+foo", [None], {"a": 1}, True, "\x00", "f25"]


@pytest.mark.parametrize("written", NO_KEYS)
def test_what_is_no_key_is_refused(written: object) -> None:
    with pytest.raises(ViewfinderError, match="there is no key"):
        read_keys(written)


SPELLINGS = st.sampled_from(sorted(NAMES))


@given(SPELLINGS, SPELLINGS, st.sampled_from(["+", " + ", " ", "-"]), st.booleans())
def test_lists_and_joined_texts_are_the_same(first: str, second: str, joint: str, upper: bool) -> None:
    written = f"{first}{joint}{second}"
    if joint in (" ", "-") and ({first, second} & {"+", "-"} or read_or_none(f"{first}{second}") is not None):
        return  # two words that are one name: `page up`
    names = (NAMES[first], NAMES[second])
    assert read_keys(written.upper() if upper else written) == read_keys([first, second]) == names


def read_or_none(written: str) -> tuple[str, ...] | None:
    try:
        return read_keys(written)
    except ViewfinderError:
        return None
