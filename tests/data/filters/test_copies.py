"""Duplicates and leaks: marks that survive small changes and keep different things apart."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.filters.test_documents import _PROSE, _drawn
from viewfinder.data.filters.contamination import Contamination
from viewfinder.data.filters.fingerprints import (
    ExactDuplicates,
    NearDuplicates,
    PictureIndex,
    are_near,
    mark_of,
    media_marks,
)
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample, say
from viewfinder.data.shards import write_shards
from viewfinder.errors import DataError
from viewfinder.messages import VideoPart, user


def _jpeg(image: Image.Image) -> Image.Image:
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=50)
    return Image.open(io.BytesIO(sink.getvalue()))


_CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "same": lambda image: image,
    "jpeg": _jpeg,
    "smaller": lambda image: image.resize((112, 84)),
    "cropped": lambda image: image.crop((2, 2, image.width - 2, image.height - 2)),
    "brighter": lambda image: Image.fromarray((np.asarray(image, float) * 1.02).clip(0, 255).astype(np.uint8)),
}


@pytest.mark.parametrize("name", list(_CHANGES))
def test_a_changed_picture_is_near_itself_and_no_other(name: str) -> None:
    index = PictureIndex()
    for i in range(40):
        index.add(mark_of(_drawn(i)))
    found = [index.near(mark_of(_CHANGES[name](_drawn(i)))) for i in range(40)]
    assert sum(one == [i] for i, one in enumerate(found)) >= 38
    assert all(one in ([i], []) for i, one in enumerate(found))


def test_colors_tell_equal_outlines_apart() -> None:
    red, blue = (Image.new("RGB", (80, 80), "white") for _ in range(2))
    red.paste((255, 0, 0), (20, 20, 60, 60))
    blue.paste((0, 0, 255), (20, 20, 60, 60))
    assert not mark_of(red).is_near(mark_of(blue))
    mark = mark_of(red)
    assert type(mark).from_list(json.loads(json.dumps(mark.to_list()))) == mark


def _sample(i: int, image: Image.Image | None, text: str = "A drawing of boxes.") -> Sample:
    parts = [] if image is None else [image]
    return Sample(messages=(say("user", *parts, "What is it?"), say("assistant", text)), task="ask", id=f"s{i}")


def _drops(operator: NearDuplicates | ExactDuplicates, samples: list[Sample]) -> dict[int, str]:
    summaries = [json.loads(json.dumps(operator.summary(sample))) for sample in samples]
    return dict(operator.decide(summaries))


def test_the_first_of_equal_samples_stays() -> None:
    samples = [
        _sample(0, _drawn(0)),
        _sample(1, _drawn(1)),
        _sample(2, _drawn(0)),
        _sample(3, _drawn(0), "Other words."),
    ]
    assert _drops(ExactDuplicates(), samples) == {2: "the same as s0"}


def test_near_in_words_and_in_pictures() -> None:
    changed = _PROSE.replace("harbour", "haven")
    samples = [
        _sample(0, _drawn(0)),
        _sample(1, _jpeg(_drawn(0))),
        _sample(2, _drawn(0), "Something else altogether is said here."),
        _sample(3, _drawn(3)),
        _sample(4, None, _PROSE),
        _sample(5, None, changed),
        _sample(6, None, "The weather of the next days will be fair, say the people of the town."),
    ]
    assert set(_drops(NearDuplicates(), samples)) == {1, 5}
    assert set(_drops(NearDuplicates(by="media"), samples)) == {1, 2}
    assert set(_drops(NearDuplicates(by="text"), samples)) == {1, 3, 5}
    assert _drops(NearDuplicates(), samples)[5] == "says the same as s4"
    with pytest.raises(DataError, match="by both, text or media"):
        NearDuplicates(by="smell")


def test_clips_are_compared_at_four_moments() -> None:
    frames = [_drawn(i // 4) for i in range(16)]
    times = tuple(i / 2 for i in range(16))
    clip, again = (media_marks(VideoPart(video=fs, frame_times=times)) for fs in (frames, list(map(_jpeg, frames))))
    other = media_marks(VideoPart(video=[_drawn(50 + i // 4) for i in range(16)], frame_times=times))
    assert len(clip) == 4
    assert are_near(clip, again)
    assert not are_near(clip, other)
    mixed = [*clip[:3], other[3]]
    assert are_near(clip, mixed)  # one moment may differ
    assert not are_near(clip, [*clip[:2], *other[2:]])


def test_leaks_are_found_in_sets_folders_and_files(tmp_path: Path) -> None:
    write_shards([_sample(0, _drawn(0))], tmp_path / "set")
    (tmp_path / "folder").mkdir()
    _drawn(1).save(tmp_path / "folder" / "a.png")
    questions = [
        f"{word}: {_PROSE.split('.')[i]}" for i, word in enumerate(("Is this so", "Why does it say", "Translate this"))
    ]
    (tmp_path / "items.jsonl").write_text("\n".join(json.dumps({"question": q, "id": 3}) for q in questions))
    against = "+".join(str(tmp_path / name) for name in ("set", "folder", "items.jsonl"))
    operator = Contamination(against)

    def reason(sample: Sample) -> str | None:
        (result,) = operator(sample)
        return result.reason if isinstance(result, Bad) else None

    assert reason(_sample(7, _jpeg(_drawn(0)), "Quite another answer.")) == "contamination: shows what set s0 shows"
    assert reason(_sample(8, _drawn(1))) == "contamination: shows what folder a.png shows"
    assert (
        reason(_sample(9, None, f"Well, {questions[1].upper()} -- indeed."))
        == "contamination: asks what items.jsonl row 2 asks"
    )
    assert reason(_sample(10, _drawn(4))) is None
    assert reason(_sample(11, None, "The old harbour is a wall of fish.")) is None
    with pytest.raises(DataError, match="no evaluation set"):
        list(Contamination(str(tmp_path / "gone"))(_sample(0, None)))
    with pytest.raises(DataError, match="needs evaluation sets"):
        Contamination("")


def test_wording_common_to_many_items_is_no_leak(tmp_path: Path) -> None:
    prompt = "Please look at the picture and then answer the question below with one word only."
    (tmp_path / "items.txt").write_text(
        "\n".join(f"{prompt} Item {i} asks for the color of door {i}." for i in range(5))
    )
    sample = replace(_sample(0, None), messages=(user(f"{prompt} Who painted this wall?"), say("assistant", "Nobody.")))
    assert list(Contamination(str(tmp_path / "items.txt"))(sample)) == [sample]
