from dataclasses import replace

import pytest
import torch

from viewfinder.data.synth.fonts import BUILT_IN
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.spans import parse_spans
from viewfinder.processor.processor import Processor
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.processor.tokenizer import Tokenizer
from viewfinder.tiny.clip_questions import ClipStyle
from viewfinder.tiny.kind_views import KindStyle
from viewfinder.tiny.stream import StreamConfig, batches, make_batch
from viewfinder.tiny.token_labels import ANSWER_HEADS, CHANGES, IGNORE, place_of

CONFIG = StreamConfig(
    patches=240, max_side=140, text_share=3.0, styles=((1.0, SceneStyle(families=((BUILT_IN, (None,)),))),)
)


@pytest.fixture(scope="module")
def processor() -> Processor:
    return Processor(Tokenizer.train(["Locate every red star in the image"] * 4, 320), ProcessorSettings())


def test_a_batch_depends_on_seed_and_number_alone(processor: Processor) -> None:
    stream = batches(processor, CONFIG, seed=3)
    later = [next(stream) for _ in range(3)][2]
    again = next(batches(processor, CONFIG, seed=3, start=2))
    assert torch.equal(later.inputs.input_ids, again.inputs.input_ids)
    assert later.inputs.pixel_values is not None
    assert again.inputs.pixel_values is not None
    assert torch.equal(later.inputs.pixel_values, again.inputs.pixel_values)
    assert not torch.equal(make_batch(processor, CONFIG, 4, 2).inputs.position_ids, again.inputs.position_ids)


def test_batches_are_about_as_large_as_asked_and_labels_fit_their_tokens(processor: Processor) -> None:
    sizes = set()
    for step in range(8):
        batch = make_batch(processor, replace(CONFIG, text_share=0.9), 0, step)
        assert batch.inputs.grid_thw is not None
        assert batch.inputs.pixel_values is not None
        assert 120 <= len(batch.inputs.pixel_values) <= 360
        tokens = int((batch.inputs.input_ids == processor.image_token_id).sum())
        lines = batch.extra_labels.pop("lines")
        assert ((lines[:, 0] >= 0) & (lines[:, 0] < len(batch.inputs.grid_thw))).all()
        for name, labels in batch.extra_labels.items():
            assert len(labels) == (len(batch.inputs.input_ids) if name in ANSWER_HEADS else tokens)
        grids = {tuple(row[1:]) for row in batch.inputs.grid_thw.tolist()}
        assert len(grids) == 1
        sizes |= grids
        assert batch.inputs.labels is not None
        assert int((batch.inputs.labels >= 0).sum()) > 0
    assert len(sizes) > 2
    assert all(84 <= 14 * side <= 140 for size in sizes for side in size)


def test_batches_of_quick_pictures_have_the_same_labels(processor: Processor) -> None:
    drawn, quick = (make_batch(processor, replace(CONFIG, quick_share=share), 5, 1) for share in (0.0, 1.0))
    assert drawn.extra_labels.keys() == quick.extra_labels.keys()
    assert quick.inputs.pixel_values is not None
    assert torch.equal(
        quick.inputs.input_ids, make_batch(processor, replace(CONFIG, quick_share=1.0), 5, 1).inputs.input_ids
    )


def test_batches_of_small_pictures_take_about_as_long_as_those_of_large_ones(processor: Processor) -> None:
    tokens = []
    for side in (56, 140):
        config = replace(CONFIG, patches=1200, min_side=side, max_side=side)
        tokens.append(len(make_batch(processor, config, 0, 0).inputs.input_ids))
    assert 0.6 < tokens[0] / tokens[1] < 1.6


def test_held_out_fonts_are_not_in_the_training_styles() -> None:
    from viewfinder.data.synth.fonts import HELD_OUT_FAMILIES
    from viewfinder.tiny.recipes import STYLES

    for style in STYLES.values():
        assert not HELD_OUT_FAMILIES & {name for name, _ in style.families}
        assert style.pairs == "train"


def test_some_batches_hold_clips_when_asked(processor: Processor) -> None:
    config = StreamConfig(patches=600, styles=CONFIG.styles, clip_share=0.5)
    made = [make_batch(processor, config, 5, step) for step in range(6)]
    kinds = [set(batch.inputs.media_kinds) for batch in made]
    assert {"video"} in kinds
    assert {"image"} in kinds
    for batch, kind in zip(made, kinds, strict=True):
        id_ = processor.image_token_id if kind == {"image"} else processor.video_token_id
        assert len(batch.extra_labels["kinds"]) == int((batch.inputs.input_ids == id_).sum())
        assert batch.inputs.labels is not None
        assert int((batch.inputs.labels >= 0).sum()) > 0


@pytest.mark.parametrize("text_share", [0.01, 2.0])
def test_some_batches_hold_samples_of_the_kinds_when_asked(processor: Processor, text_share: float) -> None:
    kinds = KindStyle({"tables": 1.0, "relations": 1.0}, sides=(112, 140))
    config = replace(CONFIG, kind_share=1.0, kinds=kinds, patches=1200, text_share=text_share)
    batch = make_batch(processor, config, 3, 1)
    assert batch.inputs.grid_thw is not None
    seen = int(batch.inputs.grid_thw.prod(1).sum()) // 4
    assert len(batch.extra_labels["characters"]) == seen
    assert len(batch.extra_labels["next_number"]) == len(batch.inputs.input_ids)
    cost = seen if text_share < 1 else len(batch.inputs.input_ids) + 2 * seen
    assert 300 * (1 if text_share < 1 else 3) <= cost < 2000
    assert len(batch.inputs.media_kinds) > 3
    again = make_batch(processor, config, 3, 1)
    assert torch.equal(batch.inputs.input_ids, again.inputs.input_ids)


def test_reading_points_at_each_character_before_it_is_said(processor: Processor) -> None:
    style = SceneStyle(things=(0, 0), lines=(2, 2), families=((BUILT_IN, (None,)),), text_size=(14, 16), max_chars=5)
    config = StreamConfig(patches=1, min_side=112, max_side=140, weights={"read": 1.0}, styles=((1.0, style),))
    batch = make_batch(processor, config, 2, 0)
    inputs, places = batch.inputs, torch.stack([batch.extra_labels[name] for name in ANSWER_HEADS], dim=1)
    asked = places[:, 0] != IGNORE
    assert inputs.labels is not None
    said = [processor.tokenizer.decode([int(i)]) for i in inputs.input_ids[1:][asked[:-1]]]
    answer = processor.tokenizer.decode(inputs.input_ids[inputs.labels != IGNORE].tolist())
    lines = answer.split("<|im_end|>")[0].split("\n")
    assert "".join(said) == lines[0] + lines[1]
    rows, columns = places[asked][:, 0], places[asked][:, 1] * 8 + places[asked][:, 2]
    first = next(i for i in range(len(said)) if "".join(said[:i]) == lines[0])
    assert rows[first] > rows[0]
    assert columns[:first].diff().min() > 0
    assert columns[first:].diff().min() > 0


def test_placing_points_at_the_thing_while_its_numbers_are_said(processor: Processor) -> None:
    style = SceneStyle(things=(3, 3), lines=(0, 0), families=((BUILT_IN, (None,)),))
    config = StreamConfig(patches=1, min_side=140, max_side=140, weights={"locate": 1.0}, styles=((1.0, style),))
    batch = make_batch(processor, config, 5, 0)
    inputs, places = batch.inputs, torch.stack([batch.extra_labels[name] for name in ANSWER_HEADS], dim=1)
    assert inputs.labels is not None
    answer = processor.tokenizer.decode(inputs.input_ids[inputs.labels != IGNORE].tolist())
    boxes = parse_boxes(answer.split("<|im_end|>")[0], Transform.identity((140, 140)))
    asked = (places[:, 0] != IGNORE).nonzero().flatten().tolist()
    first = [i for i in asked if i - 1 not in asked]
    assert [int(inputs.input_ids[i + 1]) for i in first] == [
        processor.tokenizer.encode(f"{box.x1:.0f}")[0] for box in boxes
    ]
    middles = [((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2) for box in boxes]
    assert [tuple(places[i].tolist()) for i in first] == [(*place_of(x, y), IGNORE, IGNORE) for x, y in middles]


def test_what_is_asked_of_a_thing_is_looked_up_at_the_thing(processor: Processor) -> None:
    style = SceneStyle(things=(1, 1), lines=(0, 0), families=((BUILT_IN, (None,)),))
    config = StreamConfig(patches=1, min_side=140, max_side=140, weights={"ask": 1.0}, styles=((1.0, style),))
    seen = 0
    for step in range(8):
        batch = make_batch(processor, config, 6, step)
        assert batch.inputs.labels is not None
        words = processor.tokenizer.decode(batch.inputs.input_ids.tolist())
        if "What color is the" not in words.replace("What color is the background", ""):
            continue
        seen += 1
        covered = batch.extra_labels["kinds"].reshape(5, 5).nonzero().float()
        asked = (batch.extra_labels["next_rows"] != IGNORE).nonzero().flatten()
        assert (batch.extra_labels["next_rows"][asked] / 2 - covered[:, 0].mean()).abs().max() <= 1.5
        assert (batch.extra_labels["next_columns"][asked] - covered[:, 1].mean()).abs().max() <= 1.5
    assert seen > 0


@pytest.mark.parametrize("task", ["locate", "point", "ask"])
def test_what_is_being_placed_is_told_by_kind_and_color(processor: Processor, task: str) -> None:
    style = SceneStyle(things=(1, 1), lines=(0, 0), families=((BUILT_IN, (None,)),))
    config = StreamConfig(patches=1, min_side=140, max_side=140, weights={task: 1.0}, styles=((1.0, style),))
    told = 0
    for step in range(8):
        labels = make_batch(processor, config, 8, step).extra_labels
        asked = (labels["next_rows"] != IGNORE).nonzero().flatten()
        (kind,) = set(labels["kinds"].tolist()) - {0}
        (color,) = set(labels["colors"].tolist()) - {IGNORE}
        told += len(asked)
        assert set(labels["next_kinds"][asked].tolist()) <= {kind}
        assert set(labels["next_colors"][asked].tolist()) <= {color}
        assert bool((labels["next_kinds"] != IGNORE).any()) is (len(asked) > 0)
    assert told > 0


@pytest.mark.parametrize(("absent", "number"), [(False, 1), (True, 0)])
def test_before_the_numbers_stands_how_many_there_will_be(processor: Processor, absent: bool, number: int) -> None:
    style = SceneStyle(things=(1, 1), lines=(0, 0), families=((BUILT_IN, (None,)),))
    config = StreamConfig(patches=1, min_side=140, max_side=140, weights={"locate": 1.0}, styles=((1.0, style),))
    told = []
    for step in range(12):
        batch = make_batch(processor, config, 7, step)
        assert batch.inputs.labels is not None
        said = processor.tokenizer.decode(batch.inputs.input_ids[batch.inputs.labels != IGNORE].tolist())
        asked = batch.extra_labels["next_number"]
        if ("bbox" not in said.split("<|im_end|>")[0]) is absent:
            told.append(int(asked[asked != IGNORE][0]))
    assert told
    assert set(told) == {number}


def test_clips_are_told_the_time_of_each_frame_and_where_to_look_for_a_start_and_an_end(processor: Processor) -> None:
    clips = ClipStyle(frames=(16, 16), sides=(84, 84), windowed=0, absent=0)
    batch = make_batch(processor, replace(CONFIG, patches=1, clip_share=1.0, clips=clips), 1, 0)
    inputs = batch.inputs
    assert inputs.labels is not None
    answer = processor.tokenizer.decode(inputs.input_ids[inputs.labels != IGNORE].tolist())
    span = parse_spans(answer.strip(), 999.0)[0]
    steps = batch.extra_labels["next_steps"]
    told = list(dict.fromkeys(steps[steps != IGNORE].tolist()))
    times = [a * 100 + b * 10 + c + d / 10 for a, b, c, d in batch.extra_labels["times"].tolist()][::9]
    assert len(times) == 8
    seconds = [t + extra for t in times for extra in (0, (times[1] - times[0]) / 2)]
    assert [min(sum(t < edge for t in seconds) // 2, 7) for edge in (span.start, span.end)] == told


def test_tokens_of_clips_are_told_what_changed_in_the_pairs_where_it_starts_and_ends(processor: Processor) -> None:
    clips = ClipStyle(frames=(16, 16), sides=(84, 84), windowed=0, absent=0)
    met = set()
    for step in range(24):
        batch = make_batch(processor, replace(CONFIG, patches=1, clip_share=1.0, clips=clips), 1, step)
        steps, changes = batch.extra_labels["next_steps"], batch.extra_labels["changes"].reshape(8, 9)
        edges = list(dict.fromkeys(steps[steps != IGNORE].tolist()))
        seen = [i for i in range(8) if bool(changes[i].any())]
        kinds = {CHANGES[c] for c in changes.unique().tolist()} - {""}
        met |= kinds
        if "moved" not in kinds:
            assert set(seen) <= set(edges)
        else:
            assert all(min(edges) <= i <= max(edges) for i in seen)
    assert met == {"came", "went", "changed", "moved"}


def test_pictures_are_not_asked_what_changed(processor: Processor) -> None:
    assert set(make_batch(processor, CONFIG, 1, 0).extra_labels["changes"].tolist()) == {IGNORE}
