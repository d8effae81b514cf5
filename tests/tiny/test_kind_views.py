import numpy as np
import pytest

from viewfinder.data.sample import Sample
from viewfinder.data.synth.words import CHARACTERS
from viewfinder.errors import DataError, MissingMaterial
from viewfinder.processor.processor import Processor
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.processor.tokenizer import Tokenizer
from viewfinder.tiny.kind_views import KindStyle, make_view
from viewfinder.tiny.token_labels import ANSWER_HEADS, IGNORE, TEXT_HEADS, TOWER_HEADS

WRITTEN = ("pages", "receipts", "forms", "tables", "charts", "screens", "invoices")


@pytest.fixture(scope="module")
def processor() -> Processor:
    settings = ProcessorSettings().with_(min_pixels=84 * 84, max_pixels=336 * 336)
    return Processor(Tokenizer.train(["Locate every red star in the image"] * 4, 320), settings)


@pytest.mark.parametrize("kind", WRITTEN)
def test_where_an_answer_is_looked_up_stands_what_it_says(processor: Processor, kind: str) -> None:
    right = asked = 0
    for seed in range(16):
        inputs, labels = make_view(np.random.default_rng(seed), processor, KindStyle({kind: 1.0}))
        assert inputs.grid_thw is not None
        columns = int(inputs.grid_thw[0, 2]) // 2
        ids = inputs.input_ids.tolist()
        for i in np.flatnonzero(labels["next_rows"] != IGNORE).tolist():
            said = processor.tokenizer.decode([ids[i + 1]])[:1]
            if not said.isalpha():
                continue  # digits may be numbers of a box, spaces are between words
            row, column, cell = (int(labels[f"next_{name}"][i]) for name in ("rows", "columns", "cells"))
            around = [min(max(cell + step, 0), 7) + 8 * (row % 2) for step in (-1, 0, 1)]
            seen = labels["characters"][row // 2 * columns + column][around]
            asked += 1
            right += said in [(CHARACTERS + " ")[c - 1] for c in seen.tolist() if c > 0]
    assert asked > 20
    assert right > 0.9 * asked


def test_every_token_has_its_labels(processor: Processor) -> None:
    for kind in (*WRITTEN, "grounding", "relations", "compare"):
        inputs, labels = make_view(np.random.default_rng(1), processor, KindStyle({kind: 1.0}))
        seen = int((inputs.input_ids == processor.image_token_id).sum())
        assert {len(labels[name]) for name in (*TOWER_HEADS, *TEXT_HEADS)} == {seen}
        assert {len(labels[name]) for name in ANSWER_HEADS} == {len(inputs.input_ids)}
        assert len(inputs.input_ids) <= 640


def test_missing_material_ends_the_drawing_at_once(processor: Processor) -> None:
    drawn = 0

    def lacking(*_: object) -> Sample:
        nonlocal drawn
        drawn += 1
        raise MissingMaterial("a page cannot be drawn without chromium")

    with pytest.raises(MissingMaterial):
        make_view(np.random.default_rng(0), processor, KindStyle({"web": 1.0}, generators={"web": lacking}))
    assert drawn == 1


def test_of_what_nobody_noted_nothing_is_asked(processor: Processor) -> None:
    _, labels = make_view(np.random.default_rng(0), processor, KindStyle({"relations": 1.0}))
    assert (labels["kinds"] == IGNORE).all()
    assert (labels["characters"] == IGNORE).all()


def test_before_the_first_number_stands_how_many_boxes_there_will_be(processor: Processor) -> None:
    told = set()
    for seed in range(30):
        inputs, labels = make_view(np.random.default_rng(seed), processor, KindStyle({"grounding": 1.0}))
        assert inputs.labels is not None
        said = processor.tokenizer.decode(inputs.input_ids[inputs.labels != IGNORE].tolist()).split("<|im_end|>")[0]
        asked = labels["next_number"][labels["next_number"] != IGNORE].tolist()
        if said.count("bbox_2d") and asked and "count" not in said and "There" not in said:
            assert asked[0] == min(9, said.count("bbox_2d"))
            told.add(asked[0])
        elif said.startswith("```json\n[]"):
            assert set(asked[:1]) == {0}
            told.add(0)
    assert {0, 1} <= told


@pytest.mark.parametrize(
    ("style", "said"),
    [
        (KindStyle({"pagse": 1.0}), "no kind 'pagse'"),
        (KindStyle({"text": 1.0}), "has a picture"),
        (KindStyle({"receipts": 1.0}, longest=20), "at most 20 tokens"),
    ],
)
def test_what_can_never_be_made_is_said_and_not_tried_for_ever(
    processor: Processor, style: KindStyle, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        make_view(np.random.default_rng(0), processor, style)
