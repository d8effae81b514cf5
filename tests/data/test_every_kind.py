"""Every kind: through records, processor and outputs, and its own truth comes back."""

import numpy as np
import pytest

from viewfinder.data.filters.measure import open_processor
from viewfinder.data.gallery import read_places
from viewfinder.data.places import for_model, prepare
from viewfinder.data.records import dump, record_to_sample, sample_to_record
from viewfinder.data.sample import Sample
from viewfinder.data.synth.kinds import KINDS, Options, make
from viewfinder.inputs import IGNORE_INDEX
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart
from viewfinder.outputs.actions import parse_action
from viewfinder.outputs.boxes import Box
from viewfinder.outputs.document.document import Page
from viewfinder.outputs.spans import parse_spans

_SPLITS = ("train", "held_out")


def _made(name: str, number: int) -> Sample:
    split = _SPLITS[number % 5 == 4]
    return make(name, 77, number, Options(difficulty=(number % 11) / 10, split=split))


def check_truth(sample: Sample) -> None:
    """What is trained, read as a model's answer is read, gives what the sample says, to half a pixel of the model."""
    record, files = sample_to_record(sample)
    stored = record_to_sample(record, files)
    assert dump(sample_to_record(stored)[0]) == dump(record)
    processor = open_processor("tiny")
    view = for_model(stored, processor)
    _check_taught(stored, view.messages)
    for i, message in enumerate(stored.messages):
        form, _, number = stored.form_of(i).partition("@")
        if not form:
            assert view.messages[i].text == message.text
            continue
        medium = int(number) if number else 0
        after = view.transforms[medium]
        before = Transform.identity(after.original_size)
        _check_places(form, message.text, view.messages[i].text, before, after)
    if "spans" in stored.truth and stored.messages[-1].role == "assistant" and stored.task in ("moments", "describe"):
        _check_spans(stored)


def _check_taught(sample: Sample, messages: tuple) -> None:
    """The tokens that carry loss are the answers, letter by letter."""
    processor = open_processor("tiny")
    inputs = prepare(sample, processor).inputs
    assert inputs.labels is not None
    end = processor.tokenizer.token_id("<|im_end|>")
    taught: list[list[int]] = [[]]
    for token in inputs.labels.tolist():
        if token == end:
            taught.append([])
        elif token != IGNORE_INDEX:
            taught[-1].append(token)
    texts = [processor.tokenizer.decode(tokens).removeprefix("\n") for tokens in taught]
    answers = [message for message in messages if message.role == "assistant"]
    assert len(texts) == len(answers) + 1
    assert texts[-1] == ""
    for text, message in zip(texts, answers, strict=False):
        assert message.tool_calls or text == message.text.removeprefix("\n")


def _check_places(form: str, stored: str, shown: str, before: Transform, after: Transform) -> None:
    if form == "html":
        one, other = Page.from_html(stored, before), Page.from_html(shown, after)
        assert [type(e) for e in one.elements] == [type(e) for e in other.elements]
        assert one.text == other.text
    elif form == "action":
        one, other = parse_action(stored, before), parse_action(shown, after)
        assert (one.name, one.text, one.keys, one.button, one.status) == (
            other.name, other.text, other.keys, other.button, other.status,
        )  # fmt: skip
    if form == "inline":
        stored_places, shown_places = read_places(form, stored, before), read_places(form, shown, before)
        shown_places = [_moved(place, after) for place in shown_places]
    else:
        stored_places, shown_places = read_places(form, stored, before), read_places(form, shown, after)
    assert len(stored_places) == len(shown_places)
    assert [p.label for p in stored_places] == [p.label for p in shown_places]
    width, height = before.original_size
    half = np.array([0.5 * width / after.resized_size[0], 0.5 * height / after.resized_size[1]]) + 0.01
    for one, other in zip(stored_places, shown_places, strict=True):
        a, b = (np.array(p.xyxy if isinstance(p, Box) else (p.x, p.y)).reshape(-1, 2) for p in (one, other))
        assert (np.abs(a - b) <= half).all(), (form, one, other)
        assert (a >= -0.5).all()
        assert (a <= np.array([width, height]) + 0.5).all()


def _moved(place: object, after: Transform) -> object:
    if isinstance(place, Box):
        corners = (*after.to_original((place.x1, place.y1)), *after.to_original((place.x2, place.y2)))
        return Box(*corners, label=place.label)
    x, y = after.to_original((place.x, place.y))  # type: ignore[attr-defined]
    return type(place)(x, y)


def _check_spans(sample: Sample) -> None:
    answers = [m.text for m in sample.messages if m.role == "assistant"]
    duration = sample.truth["duration"]
    read = [(s.start, s.end) for text in answers for s in parse_spans(text, duration)]
    truth = [tuple(span[:2]) for span in sample.truth["spans"] if span is not None]
    assert len(read) == len(truth)
    assert np.allclose(sorted(read), sorted(truth), atol=0.11)


@pytest.mark.parametrize("name", list(KINDS))
def test_a_few_give_their_truth_back_and_the_same_bytes_again(name: str) -> None:
    for number in (3, 4):
        sample = _made(name, number)
        check_truth(sample)
        assert sample.lineage[0] == f"synth.{name}@{KINDS[name].version}"
        assert sample.license
        for part in sample.media:
            if isinstance(part, ImagePart):
                assert max(load_image(part.image).size) <= 4096
    again = sample_to_record(_made(name, 4))
    first = sample_to_record(sample)
    assert dump(again[0]) == dump(first[0])
    assert again[1] == first[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", list(KINDS))
def test_five_hundred_give_their_truth_back(name: str) -> None:
    for number in range(500):
        check_truth(_made(name, number))
