"""Rows in the layouts of other fine-tuning tools: read right, or refused with the key that was not."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.sources.reading import picture, read_all
from tests.doubles import small_processor
from viewfinder.data.places import prepare
from viewfinder.data.records import record_to_sample, sample_to_record
from viewfinder.data.sample import Sample

ASKED = {"role": "user", "content": "<image>What is it?"}
SAID = {"role": "assistant", "content": "Red."}
TURNS = [ASKED, SAID]


def read(folder: Path, row: dict[str, Any], **options: Any) -> Sample | str:
    """The sample of one row of JSON, or the reason."""
    for name, color in (("a.png", "red"), ("b.png", "blue")):
        picture(folder / name, (200, 100), color)
    (folder / "rows.json").write_text(json.dumps([row]))
    samples, bad = read_all("conversations", folder / "rows.json", **options)
    return samples[0] if samples else bad[0].reason


def shape(sample: Sample | str) -> list[str]:
    """Roles and what stands in them, a picture as its file's first letter."""
    assert isinstance(sample, Sample), sample
    return [
        f"{m.role}: " + "".join(getattr(p, "text", None) or f"[{Path(str(p.image)).stem}]" for p in m.parts)  # type: ignore[union-attr]
        for m in sample.messages
    ]


ONE = ["user: [a]What is it?", "assistant: Red."]
PARTS = [{"type": "image"}, {"type": "text", "text": "What is it?"}]
GIVEN = [{"type": "image", "image": "a.png"}, {"type": "text", "text": "What is it?", "image": None}]
INDEXED = [{"type": "image", "index": 0, "text": None}, {"type": "text", "index": None, "text": "What is it?"}]

READ: dict[str, tuple[dict[str, Any], list[str]]] = {
    "messages and images": ({"messages": TURNS, "images": ["a.png"]}, ONE),
    "no mark: before the first question": (
        {"messages": [{**ASKED, "content": "What is it?"}, SAID], "images": ["a.png"]},
        ONE,
    ),
    "system": ({"messages": TURNS, "image": "a.png", "system": "Be brief."}, ["system: Be brief.", *ONE]),
    "placeholders": ({"messages": [{"role": "user", "content": PARTS}, SAID], "images": ["a.png"]}, ONE),
    "a file in a part": ({"messages": [{"role": "user", "content": GIVEN}, SAID]}, ONE),
    "an index in a part": ({"messages": [{"role": "user", "content": INDEXED}, SAID], "images": ["a.png"]}, ONE),
    "image_url": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.png"}}, "What is it?"]},
                SAID,
            ]
        },
        ONE,
    ),
    "nulls of Arrow": (
        {"messages": [{**t, "name": None, "tool_calls": None} for t in TURNS], "images": ["a.png"], "videos": None},
        ONE,
    ),
    "prompt and completion": ({"prompt": [ASKED], "completion": [SAID], "images": ["a.png"]}, ONE),
    "query and response": ({"query": "<image>What is it?", "response": "Red.", "images": ["a.png"]}, ONE),
    "instruction, input, output": (
        {
            "instruction": "Name it.",
            "input": "<image>",
            "output": "Red.",
            "history": [["Hi", "Hello"]],
            "images": ["a.png"],
        },
        ["user: Hi", "assistant: Hello", "user: Name it.\n[a]", "assistant: Red."],
    ),
    "numbered columns": (
        {
            "question": "Is <image 2> like <image 1>?",
            "options": "['yes', 'no']",
            "answer": "B",
            "image_1": "a.png",
            "image_2": "b.png",
            "image_3": None,
        },
        ["user: Is [b] like [a]?\nA. yes\nB. no", "assistant: B"],
    ),
    "clips and pictures in any order": (
        {"messages": [{"role": "user", "content": "<image>and<image>?"}, SAID], "images": ["b.png", "a.png"]},
        ["user: [b]and[a]?", "assistant: Red."],
    ),
    "an answer as a list of one": ({"question": "What?", "answer": ["Red"]}, ["user: What?", "assistant: Red"]),
    "an answer as parts": (
        {"question": "What?", "answer": [{"type": "text", "text": "Red"}, {"type": "text", "text": "dish"}]},
        ["user: What?", "assistant: Reddish"],
    ),
    "a number": ({"question": "How many?", "answer": 0}, ["user: How many?", "assistant: 0"]),
    "Qwen's own mark": (
        {
            "messages": [{"role": "user", "content": "<|vision_start|><|image_pad|><|vision_end|>What is it?"}, SAID],
            "images": ["a.png"],
        },
        ONE,
    ),
}


@pytest.mark.parametrize("name", READ)
def test_layouts_are_read(tmp_path: Path, name: str) -> None:
    row, wanted = READ[name]
    assert shape(read(tmp_path, row)) == wanted


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "audio": ({"messages": TURNS, "images": ["a.png"], "audios": ["a.wav"]}, "'audios'"),
    "tools": ({"messages": TURNS, "images": ["a.png"], "tools": "[{}]"}, "'tools'"),
    "a label for KTO": ({"messages": TURNS, "images": ["a.png"], "label": False}, "'label'"),
    "two keys of pictures": ({"messages": TURNS, "images": ["a.png"], "image": "b.png"}, "'image'"),
    "two answers": ({"question": "What?", "answer": "Red", "response": "Blue"}, "'response'"),
    "a key of a turn": ({"messages": [{**ASKED, "images": ["a.png"]}, SAID]}, "'images' of turn 1"),
    "a text's picture": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "image": "a.png"}]}, SAID]},
        "'image'",
    ),
    "more marks than files": ({"messages": TURNS}, "1 <image> or <video> tags for 0 files"),
    "a mark in HTML words": ({"messages": [{"role": "user", "content": "What is <video>?"}, SAID]}, "tags for 0 files"),
    "fewer marks than files": (
        {"messages": TURNS, "images": ["a.png", "b.png"]},
        "1 <image> or <video> tags for 2 files",
    ),
    "the same mark twice": (
        {"question": "<image 1> and <image 1>", "answer": "x", "image_1": "a.png", "image_2": "b.png"},
        "two marks",
    ),
    "marks of another tool": (
        {"messages": [{"role": "user", "content": "<ImageHere>"}, SAID], "images": ["a.png"]},
        "<ImageHere>",
    ),
    "a mark in an answer": (
        {"messages": [{**ASKED, "content": "Draw"}, {**SAID, "content": "<image>"}], "images": ["a.png"]},
        "assistant",
    ),
    "several answers": ({"question": "What?", "answer": ["Red", "crimson"]}, "'answer' holds 2 values"),
    "several captions": ({"caption": ["One.", "Two."], "image": "a.png"}, "'caption' holds 2 values"),
    "an object": ({"question": "What?", "answer": {"color": "red"}}, "'answer'"),
    "true": ({"question": "Is it?", "answer": True}, "'answer'"),
    "chosen and rejected in one list": ({"instruction": "Hi", "output": ["good", "bad"]}, "'output' holds 2 values"),
    "a weight between": ({"messages": [{**ASKED, "content": "Hi"}, {**SAID, "weight": 0.5}]}, "'weight' of turn 2"),
    "nothing to learn": ({"messages": [{**ASKED, "content": "Hi"}, {**SAID, "loss": False}]}, "no turn of the row"),
    "two system prompts": (
        {"messages": [{"role": "system", "content": "A"}, {**ASKED, "content": "x"}, SAID], "system": "B"},
        "system",
    ),
    "a picture that is not there": ({"messages": TURNS, "images": ["c.png"]}, "'c.png' is missing"),
    "base64 without its head": ({"messages": TURNS, "images": ["iVBORw0KGgo" * 400]}, "missing"),
    "frames": ({"messages": [{**ASKED, "content": "<video>?"}, SAID], "videos": [["a.png", "b.png"]]}, "frames"),
    "another size": (
        {
            "messages": [ASKED, {**SAID, "content": '{"bbox_2d": [1, 2, 90, 80]}'}],
            "images": ["a.png"],
            "width": 100,
            "height": 50,
        },
        "100x50",
    ),
    "a prompt that is not the chosen one's": (
        {"prompt": [{**ASKED, "content": "A?"}], "chosen": [{**ASKED, "content": "B?"}, SAID], "rejected": "x"},
        "'chosen'",
    ),
    "an unknown role": ({"messages": [{"role": "critic", "content": "x"}]}, "'critic'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_refused_by_name(tmp_path: Path, name: str) -> None:
    row, reason = REFUSED[name]
    found = read(tmp_path, row)
    assert isinstance(found, str), shape(found)
    assert reason in found


def test_a_key_can_be_left_out_on_purpose(tmp_path: Path) -> None:
    row = {"messages": TURNS, "images": ["a.png"], "score": 0.7}
    assert "'score'" in str(read(tmp_path, row))
    assert shape(read(tmp_path, row, ignore="score,other")) == ONE


def test_a_key_twice_is_an_error_and_not_the_last_one(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"question": "a", "question": "b", "answer": "c"}\n')
    assert "'question' stands twice" in read_all("conversations", tmp_path / "rows.jsonl")[1][0].reason


def test_parquet_has_the_same_layouts(tmp_path: Path) -> None:
    image = {"bytes": picture(tmp_path / "x.png").read_bytes(), "path": None}
    rows = [
        {"messages": TURNS, "images": [image], "system": "Be brief.", "chosen": None, "rejected": None, "score": None},
        {
            "messages": [ASKED],
            "images": [image],
            "system": None,
            "chosen": [SAID],
            "rejected": [{**SAID, "content": "Blue."}],
            "score": None,
        },
        {"messages": TURNS, "images": [image], "system": None, "chosen": None, "rejected": None, "score": 0.5},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (one, pair), (bad,) = read_all("parquet", tmp_path / "a.parquet")
    assert [m.role for m in one.messages] == ["system", "user", "assistant"]
    assert len(one.media) == len(pair.media) == 1
    assert pair.answer == "Red."
    assert pair.rejected is not None
    assert pair.rejected.text == "Blue."
    assert (bad.row, "'score'" in bad.reason) == ("row 3 of row group 1 of a.parquet", True)


def test_parquet_columns_that_are_not_there(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"question": "a", "reply": "b"}]), tmp_path / "a.parquet")
    assert read_all("parquet", tmp_path / "a.parquet", columns="answer=reply")[0][0].answer == "b"
    assert "no column 'Reply'" in read_all("parquet", tmp_path / "a.parquet", columns="answer=Reply")[1][0].reason


@pytest.mark.parametrize("mark", [{"loss": False}, {"weight": 0}, {"train": False}])
def test_a_turn_that_is_not_learnt_from_has_no_labels(tmp_path: Path, mark: dict[str, Any]) -> None:
    turns = [
        {"role": "user", "content": "one"},
        {**SAID, "content": "two two", **mark},
        {"role": "user", "content": "three"},
        {**SAID, "content": "four"},
    ]
    sample = read(tmp_path, {"messages": turns})
    assert isinstance(sample, Sample)
    back = record_to_sample(*sample_to_record(sample))
    plain = read(tmp_path, {"messages": [{k: v for k, v in turn.items() if k not in mark} for turn in turns]})
    assert isinstance(plain, Sample)
    masked, whole = (prepare(one, small_processor()).inputs for one in (back, plain))
    assert masked.input_ids.tolist() == whole.input_ids.tolist()  # the mask changes no token
    assert masked.labels is not None
    assert whole.labels is not None
    taught = [int(i) for i in masked.labels if i != -100]
    assert 0 < len(taught) < sum(int(i) != -100 for i in whole.labels)
    assert "four" in small_processor().tokenizer.decode(taught)
    assert "two" not in small_processor().tokenizer.decode(taught)


def test_one_of_a_captions_translations(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    both = {"C": "A box.", "de": "Eine Kiste.", "sr@latin": "Kutija."}
    (tmp_path / "captions.json").write_text(json.dumps({"a.png": both}))
    for language, words in (("en", "A box."), ("de", "Eine Kiste.")):
        (sample,), _ = read_all("folder", tmp_path, language=language)
        assert (sample.answer, sample.language) == (words, language)
    (bad,) = read_all("folder", tmp_path, language="fr")[1]
    assert "not in 'fr'" in bad.reason
