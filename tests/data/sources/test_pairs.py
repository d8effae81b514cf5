"""Preference pairs of other tools, and places that stand beside the turns."""

from pathlib import Path
from typing import Any

import pytest

from tests.data.sources.test_layouts import ASKED, ONE, SAID, TURNS, read, shape
from tests.doubles import small_processor
from viewfinder.data.places import for_model
from viewfinder.data.sample import Sample

PAIRS: dict[str, dict[str, Any]] = {
    "LLaMA-Factory": {
        "conversations": [{"from": "human", "value": "<image>What is it?"}],
        "chosen": {"from": "gpt", "value": "Red."},
        "rejected": {"from": "gpt", "value": "Blue."},
    },
    "ms-swift": {"messages": TURNS, "rejected_response": "Blue."},
    "ms-swift, turns": {"messages": TURNS, "rejected_response": [{"role": "assistant", "content": "Blue."}]},
    "ms-swift, conversation": {"messages": TURNS, "rejected_messages": [ASKED, {**SAID, "content": "Blue."}]},
    "TRL": {"prompt": [ASKED], "chosen": [SAID], "rejected": [{**SAID, "content": "Blue."}]},
    "TRL, whole": {"chosen": TURNS, "rejected": [ASKED, {**SAID, "content": "Blue."}]},
    "words": {"prompt": "<image>What is it?", "chosen": "Red.", "rejected": ["Blue."]},
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_in_all_layouts(tmp_path: Path, name: str) -> None:
    sample = read(tmp_path, {**PAIRS[name], "images": ["a.png"]})
    assert shape(sample) == ONE
    assert isinstance(sample, Sample)
    assert sample.rejected is not None
    assert sample.rejected.text == "Blue."
    assert "rejected_messages" not in sample.truth


def test_other_media_for_the_worse_answer(tmp_path: Path) -> None:
    sample = read(tmp_path, {"messages": TURNS, "images": ["a.png"], "rejected_images": ["b.png"]})
    assert isinstance(sample, Sample)
    first = sample.truth["rejected_messages"][0]
    assert Path(first.parts[0].image).name == "b.png"
    assert first.parts[1].text == "What is it?"
    assert "shows another number" in str(
        read(tmp_path, {"messages": TURNS, "images": ["a.png"], "rejected_images": ["b.png", "a.png"]})
    )


def test_objects_beside_the_turns(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "<image>Find <ref-object>"},
        {"role": "assistant", "content": "<bbox> and <bbox>"},
    ]
    objects = {"ref": ["it"], "bbox": [[20, 10, 100, 90.4], [0, 0, 200, 100]]}
    sample = read(tmp_path, {"messages": turns, "images": ["a.png"], "objects": objects})
    assert isinstance(sample, Sample)
    assert sample.question == "Find <|object_ref_start|>it<|object_ref_end|>"
    assert sample.answer.startswith("<|box_start|>(20,10),(100,90.4)<|box_end|> and ")
    view = for_model(sample, small_processor())
    width, height = view.transforms[0].resized_size
    assert f"and <|box_start|>(0,0),({width},{height})<|box_end|>" in view.messages[1].text
    json_turns = [turns[0], {"role": "assistant", "content": '[{"bbox_2d": <bbox>, "label": "<ref-object>"}]'}]
    listed = read(
        tmp_path,
        {"messages": json_turns, "images": ["a.png"], "objects": {"ref": ["it", "b"], "bbox": [[1, 2, 30, 40]]}},
    )
    assert isinstance(listed, Sample)
    assert listed.answer == '[{"bbox_2d": [1, 2, 30, 40], "label": "b"}]'
    shares = {"ref": ["it"], "bbox": [[0.1, 0.1, 0.5, 0.9], [0, 0, 1, 1]], "bbox_type": "norm1"}
    scaled = read(tmp_path, {"messages": turns, "images": ["a.png"], "objects": shares})
    assert isinstance(scaled, Sample)
    assert "(20,10),(100,90)" in scaled.answer
    few = {"ref": ["it"], "bbox": [[1, 2, 3, 4]]}
    assert "more <bbox> marks" in str(read(tmp_path, {"messages": turns, "images": ["a.png"], "objects": few}))
    many = {"ref": ["it", "b"], "bbox": objects["bbox"]}
    assert "1 names more" in str(read(tmp_path, {"messages": turns, "images": ["a.png"], "objects": many}))
