"""Stamps tell settings apart, and name the ones that differ."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viewfinder.errors import StampError
from viewfinder.processor.processor import Processor
from viewfinder.processor.settings import Stamp
from viewfinder.processor.tokenizer import Tokenizer

values = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3))


def test_the_hash_is_the_same_everywhere():
    assert Stamp({"b": [1, 2], "a": "é"}).hash == "e72bd1bfe08db42c"


def test_the_official_stamp(official: Tokenizer):
    # A change here means that shards and checkpoints made before do not match any more.
    assert Processor(official).stamp.hash == "8c17b536c88375a9"


@settings(max_examples=40, deadline=None)
@given(values)
def test_order_does_not_matter_and_the_record_reads_back(chosen: dict):
    stamp = Stamp(chosen)
    assert Stamp(dict(reversed(chosen.items()))) == stamp
    assert Stamp.from_dict(json.loads(json.dumps(stamp.to_dict()))) == stamp
    stamp.check(Stamp(dict(chosen)))


@settings(max_examples=40, deadline=None)
@given(values, values)
def test_different_settings_have_different_stamps(one: dict, other: dict):
    assert (Stamp(one) == Stamp(other)) == (one == other)
    assert (Stamp(one).differences(Stamp(other)) == {}) == (one == other)


def test_a_difference_is_named(small: Tokenizer):
    here, there = Processor(small), Processor(small)
    there.settings = here.settings.with_(max_pixels=1003520)
    with pytest.raises(StampError, match=r"max_pixels is 12845056 here and 1003520 there.*use the processor"):
        here.stamp.check(there.stamp)


def test_tuples_and_lists_are_one_value():
    Stamp({"mean": (0.5, 0.25)}).check(Stamp({"mean": [0.5, 0.25]}))
    assert Stamp({"mean": (0.5,)}) == Stamp({"mean": [0.5]})


def test_an_edited_record_is_refused():
    record = Stamp({"fps": 2.0}).to_dict()
    record["settings"]["fps"] = 4.0
    with pytest.raises(StampError, match="edited or damaged"):
        Stamp.from_dict(record)
