from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.data.samples import boxed_sample
from viewfinder.data.records import dump, record_to_sample, sample_to_record
from viewfinder.data.sample import Sample, say
from viewfinder.errors import DataError
from viewfinder.media.image import load_image
from viewfinder.messages import DocumentPart, Message, ToolCall, VideoPart, user


def _again(sample: Sample) -> Sample:
    return record_to_sample(*sample_to_record(sample))


def test_every_field_comes_back() -> None:
    sample = replace(
        boxed_sample(3),
        language="de",
        license="CC-BY-4.0",
        device="mobile",
        rejected=say("assistant", "no"),
        tags=("a/b",),
        scores={"s": 0.5},
        tokens=12,
        stamp="abc",
    )
    back = _again(sample)
    assert replace(back, messages=()) == replace(sample, messages=())
    assert [m.text for m in back.messages] == [m.text for m in sample.messages]
    pixels = np.asarray(load_image(back.media[0].image).image)  # type: ignore[union-attr]
    assert (pixels == np.asarray(sample.media[0].image)).all()  # type: ignore[union-attr]
    assert dump(sample_to_record(back)[0]) == dump(sample_to_record(sample)[0])


def test_files_keep_their_bytes_and_frames_their_pixels() -> None:
    jpeg = sample_to_record(boxed_sample(), "jpeg")[1]["0.jpg"]
    sample = Sample(messages=(say("user", load_image(jpeg), "x"), say("assistant", "y")), task="t")
    assert list(sample_to_record(sample)[1]) == ["0.png"]  # decoded already, so encoded without loss
    frames = [Image.new("RGB", (8, 6), (i, 0, 0)) for i in range(4)]
    video = VideoPart(video=frames, frame_times=(0.0, 0.5, 1.0, 1.5))
    clip = Sample(messages=(user(video, "when"), say("assistant", "now")), task="t")
    back = _again(clip).media[0]
    assert isinstance(back, VideoPart)
    assert back.frame_times == (0.0, 0.5, 1.0, 1.5)
    assert [np.asarray(frame)[0, 0, 0] for frame in back.video] == [0, 1, 2, 3]


def test_tool_calls_come_back() -> None:
    call = Message(role="assistant", parts=(), tool_calls=(ToolCall(name="f", arguments={"a": [1]}),))
    assert _again(Sample(messages=(say("user", "x"), call), task="t")).messages[1] == call


def test_other_versions_and_lost_media_are_refused() -> None:
    record, files = sample_to_record(boxed_sample())
    with pytest.raises(DataError, match="schema version 99"):
        record_to_sample({**record, "version": 99}, files)
    with pytest.raises(DataError, match=r"lacks '0\.png'"):
        record_to_sample(record, {})
    page = Sample(messages=(user(DocumentPart(document="x.pdf")), say("assistant", "")), task="t")
    with pytest.raises(DataError, match="DocumentPart"):
        sample_to_record(page)


def test_the_spelling_of_earlier_sets_is_read() -> None:
    """`license` was `licence` in version 0.1."""
    record, files = sample_to_record(
        Sample(messages=(say("user", "a"), say("assistant", "b")), task="ask", license="CC0-1.0")
    )
    record["licence"] = record.pop("license")
    assert record_to_sample(record, files).license == "CC0-1.0"
