"""Bounded number patterns against plain comparison, number by number."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.outputs.grammars import clock_up_to, decimal_up_to, integer_up_to, padded_up_to


@pytest.mark.parametrize("limit", [0, 1, 9, 10, 11, 25, 99, 100, 101, 504, 999, 1000, 1036])
def test_every_integer(limit: int) -> None:
    pattern = re.compile(integer_up_to(limit))
    accepted = [n for n in range(limit + 1200) if pattern.fullmatch(str(n))]
    assert accepted == list(range(limit + 1))
    assert not pattern.fullmatch("00")
    assert not pattern.fullmatch("01")


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_integers(limit: int, number: int) -> None:
    assert bool(re.fullmatch(integer_up_to(limit), str(number))) == (number <= limit)


def test_padded() -> None:
    pattern = re.compile(padded_up_to(36, 3))
    assert [n for n in range(1000) if pattern.fullmatch(f"{n:03}")] == list(range(37))


@given(st.integers(0, 99_999), st.integers(0, 99_999), st.sampled_from([1, 2]))
def test_decimals(limit: int, number: int, places: int) -> None:
    unit = 10**places
    accepted = bool(re.fullmatch(decimal_up_to(limit / unit, places), f"{number / unit:.{places}f}"))
    assert accepted == (number <= limit)


@given(st.integers(0, 800_000), st.integers(0, 800_000), st.booleans())
def test_clocks(limit: int, number: int, hours: bool) -> None:
    minutes, rest = divmod(number, 6000)
    tail = f"{rest // 100:02}.{rest % 100:02}"
    width = max(2, len(str(limit // 6000)))
    text = f"{minutes // 60}:{minutes % 60:02}:{tail}" if hours else f"{minutes:0{width}}:{tail}"
    accepted = bool(re.fullmatch(clock_up_to(limit / 100, hours), text))
    assert accepted == (number <= limit)
    assert not re.fullmatch(clock_up_to(limit / 100), "00:60.00")
