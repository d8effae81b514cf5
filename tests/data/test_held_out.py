"""What is held out is decided by name, before anything is drawn, so no training set can hold it."""

import re
from pathlib import Path

import pytest

from viewfinder.data.runner import run_plan
from viewfinder.data.shards import ShardReader
from viewfinder.data.synth.fonts import BUILT_IN, find_families
from viewfinder.data.synth.kinds import Options, make
from viewfinder.data.synth.objects import find_libraries, held_out_name, split_names
from viewfinder.data.synth.shapes import COLOR_NAMES, SHAPE_NAMES, held_out_pair
from viewfinder.data.synth.writing.languages import all_languages, find_fonts, find_languages
from viewfinder.errors import DataError


def test_fonts_languages_and_names_of_the_splits_are_disjoint() -> None:
    families = [{name for name, _ in find_families(held_out=held)} - {BUILT_IN} for held in (False, True)]
    assert not families[0] & families[1]
    splits = {code: language.split for code, language in all_languages().items()}
    assert set(splits.values()) == {"train", "held_out"}
    for code in {language.script: code for code, language in all_languages().items()}.values():  # one a script
        assert not set(find_fonts(code, "train")) & set(find_fonts(code, "held_out"))
    for library in find_libraries((), "train"):
        trained, held = (set(split_names(library, split)) for split in ("train", "held_out"))
        assert trained
        assert held
        assert not trained & held
        assert trained | held == set(library.names())


def test_a_held_out_language_cannot_be_asked_for_in_training() -> None:
    held = next(code for code, language in all_languages().items() if language.split == "held_out")
    with pytest.raises(DataError, match="train"):
        find_languages((held,), "train")


def test_a_training_set_names_no_held_out_thing_and_a_held_out_one_does(tmp_path: Path) -> None:
    source = {"name": "synth", "kinds": {"grounding": 1.0}, "count": 20, "options": {"max_side": 160}}
    run_plan({"source": source}, tmp_path / "train")
    with ShardReader(tmp_path / "train") as reader:
        assert all("split:train" in sample.tags for sample in reader.samples())
        labels = {
            label for s in reader.samples() for m in s.messages for label in re.findall(r'"label": "([^"]+)"', m.text)
        }
    assert labels
    assert not {label for label in labels if held_out_name(label)}
    held = [make("grounding", 0, i, Options(max_side=160, split="held_out")) for i in range(10)]
    named = {label for s in held for m in s.messages for label in re.findall(r'"label": "([^"]+)"', m.text)}
    assert any(held_out_name(label) for label in named)


def test_shapes_keep_their_held_out_pairs_apart() -> None:
    pairs = [(shape, color) for shape in SHAPE_NAMES for color in COLOR_NAMES]
    held = {f"{color} {shape}" for shape, color in pairs if held_out_pair(shape, color)}
    assert 0.05 < len(held) / len(pairs) < 0.2
    for i in range(20):
        sample = make("shapes", 3, i, Options())
        said = " ".join(m.text for m in sample.messages if m.role == "assistant")
        labels = set(re.findall(r'"label": "([^"]+)"', said))
        assert not labels & held
