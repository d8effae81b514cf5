"""Mutated rows of all layouts: each is read right, or refused with a sentence that names the key; nothing is dropped.

Every text of a row holds words of its own ("w7"), every medium is a file of its own, and one answer names a place. What
went in is compared with what came out: words, media, marks of loss and places.
"""

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.data.sources.reading import picture
from tests.doubles import small_processor
from viewfinder.data.places import for_model
from viewfinder.data.sample import Sample
from viewfinder.data.sources.fields import RowReader
from viewfinder.data.sources.keys import HARMLESS
from viewfinder.errors import ViewfinderError
from viewfinder.messages import Message

COUNT = 2_000
PLACE = '{"bbox_2d": [6, 4, 48, 36]}'
"""In a picture of 60x40 that is shown as 84x56: 8, 6, 67, 50."""
SHOWN = '{"bbox_2d": [8, 6, 67, 50]}'
U, A = "user", "assistant"


def turn(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


BASES: dict[str, dict[str, Any]] = {
    "official": {
        "image": "1.png",
        "conversations": [{"from": "human", "value": "<image>\nw1"}, {"from": "gpt", "value": f"w2 {PLACE}"}],
    },
    "LLaMA-Factory": {
        "messages": [turn(U, "<image>w1<image>"), turn(A, "w2"), turn(U, "w3"), turn(A, "w4")],
        "images": ["1.png", "2.png"],
        "system": "w5",
    },
    "ms-swift pair": {
        "messages": [turn(U, "<image>w1"), turn(A, f"w2 {PLACE}")],
        "images": ["1.png"],
        "rejected_response": "w3",
        "rejected_images": ["2.png"],
    },
    "loss": {"messages": [turn(U, "w1"), turn(A, "w2", loss=False), turn(U, "w3"), turn(A, "w4", loss=True)]},
    "objects": {
        "messages": [turn(U, "<image>w1"), turn(A, "<ref-object><bbox>")],
        "images": ["1.png"],
        "objects": {"ref": ["w2"], "bbox": [[6, 4, 48, 36]]},
    },
    "TRL": {
        "prompt": [turn(U, [{"type": "image"}, {"type": "text", "text": "w1"}])],
        "completion": [turn(A, [{"type": "text", "text": "w2"}])],
        "images": ["1.png"],
    },
    "TRL pair": {
        "images": ["1.png"],
        "chosen": [turn(U, "<image>w1"), turn(A, "w2")],
        "rejected": [turn(U, "<image>w1"), turn(A, "w3")],
    },
    "parts": {
        "messages": [
            turn(U, [{"type": "image", "image": "1.png", "text": None}, {"type": "text", "text": "w1", "image": None}]),
            turn(A, f"w2 {PLACE}"),
        ]
    },
    "Alpaca": {"instruction": "w1", "input": "w2", "output": "w3", "history": [["w4", "w5"]], "system": "w6"},
    "question": {
        "question": "<image 1>w1<image 2>",
        "options": ["w2", "w3"],
        "answer": "w4",
        "image_1": "1.png",
        "image_2": "2.png",
    },
    "caption": {"image": "1.png", "caption": "w1", "license": "MIT"},
}


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (holder, key or index) below a value."""
    inner: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    for key in inner:
        yield value, key
        yield from nodes(value[key])


def _objects(row: Any) -> list[dict[str, Any]]:
    return [row, *(holder[key] for holder, key in nodes(row) if isinstance(holder[key], dict))]


def _add(row: dict[str, Any], rng: Random) -> None:
    name = rng.choice(
        [
            "audios",
            "labels",
            "video",
            "images",
            "image_3",
            "weight",
            "chosen",
            "rejected",
            "tools",
            "text",
            "index",
            "score",
        ]
    )
    value = rng.choice(
        ["w90", ["w90"], 1, 0, False, {"w90": 1}, "3.png", ["3.png"], [{"role": "assistant", "content": "w90"}]]
    )
    rng.choice(_objects(row))[name] = value


def _nothing(row: dict[str, Any], rng: Random) -> None:
    rng.choice(_objects(row))[rng.choice(["videos", "audios", "score", "loss", "name", "x"])] = rng.choice(
        [None, [], "", float("nan")]
    )


def _change(row: dict[str, Any], rng: Random) -> None:
    holder, key = rng.choice(list(nodes(row)))
    old = holder[key]
    holder[key] = rng.choice(
        [None, [old], {"text": old}, {"type": "text", "text": old}, [old, "w91"], 7, True, 0.5, [], [old, old]]
    )


def _remove(row: dict[str, Any], rng: Random) -> None:
    holder, key = rng.choice(list(nodes(row)))
    del holder[key]


def _rename(row: dict[str, Any], rng: Random) -> None:
    holder = rng.choice(_objects(row))
    if holder:
        key = rng.choice(list(holder))
        holder[
            rng.choice(
                ["text", "image", "images", "messages", "value", "answer", "response", "prompt", f"{key}s", "rejected"]
            )
        ] = holder.pop(key)


def _mark(row: dict[str, Any], rng: Random) -> None:
    texts = [(holder, key) for holder, key in nodes(row) if isinstance(holder[key], str)]
    if texts:
        holder, key = rng.choice(texts)
        added = rng.choice(
            [
                "<image>",
                "<video>",
                "<image 2>",
                "<bbox>",
                " [1990, 2000]",
                f" {PLACE}",
                " [6, 4, 48, 36]",
                "<audio>",
                "",
            ]
        )
        holder[key] = rng.choice([holder[key].replace("<image>", "", 1), holder[key] + added])


MUTATIONS: list[Callable[[dict[str, Any], Random], None]] = [_add, _nothing, _change, _remove, _rename, _mark]


@pytest.mark.parametrize("name", BASES)
def test_mutated_rows_are_read_right_or_refused_by_name(tmp_path: Path, name: str) -> None:
    for i in range(1, 4):
        picture(tmp_path / f"{i}.png", (60, 40), ("red", "blue", "green")[i - 1])
    reader, rng = RowReader(tmp_path), Random(name)
    assert isinstance(_outcome(reader, BASES[name]), Sample)
    read = 0
    for _ in range(-(-COUNT // len(BASES))):
        row = copy.deepcopy(BASES[name])
        for mutate in rng.choices(MUTATIONS, k=rng.choice((1, 1, 2, 3))):
            if row:
                mutate(row, rng)
        given = copy.deepcopy(row)
        found = _outcome(reader, row)
        assert row == given or row != row, "the reader changed the row"
        if isinstance(found, str):
            assert re.search(r"'[\w-]+'|turn|marks|expected a video", found), f"{given}\nrefused without a key: {found}"
        else:
            read += 1
            _compare(given, found)
    assert read > 20


def _outcome(reader: RowReader, row: dict[str, Any]) -> Sample | str:
    """What a row gave; any other exception is a fault of the reader."""
    try:
        sample = reader(row)
        for_model(sample, small_processor())
        return sample
    except ViewfinderError as error:
        return str(error)


def _compare(row: dict[str, Any], sample: Sample) -> None:
    other = tuple(sample.truth.get("rejected_messages", ()))
    messages = (*sample.messages, *other, *((sample.rejected,) if sample.rejected is not None else ()))
    said = " ".join(message.text for message in messages)
    words, files = _given(row)
    lost = [word for word in words if not re.search(rf"{word}(?!\d)", said)]
    assert not lost, f"{row}\nlost the words {lost}: {said}"
    parts = [part for message in messages for part in message.parts if part.type != "text"]
    shown = {Path(str(getattr(part, part.type))).name for part in parts}
    assert {name for name in files if name not in said} == shown, f"{row}\nfiles {files} and shown {shown}"
    assert not re.search(r"<image|<video>|<bbox>|<ref-object>|\[\s*\{|\{'", said), f"{row}\nread as {said}"
    masks = sum(
        _is_mask(holder[key])
        for holder, key in nodes(row)
        if key in ("loss", "weight", "train", "training") and "assistant" in holder.values()
    )
    assert masks == sum(not message.trained for message in sample.messages), f"{row}"
    view = for_model(sample, small_processor())
    _compare_places(row, sample.messages, view.messages)


def _compare_places(row: dict[str, Any], stored: tuple[Message, ...], shown: tuple[Message, ...]) -> None:
    for before, after in zip(stored, shown, strict=True):
        wanted = before.text
        if any(part.type == "image" for message in stored for part in message.parts):
            wanted = wanted.replace(PLACE, SHOWN).replace("(6,4),(48,36)", "(8,6),(67,50)")
        if "<|box_start|>" not in wanted or "(8,6),(67,50)" in wanted:  # else other numbers than ours
            assert after.text == wanted, f"{row}"


def _is_mask(value: Any) -> bool:
    return value is not None and not isinstance(value, list | dict | str) and value == value and not value


def _given(row: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The words and files of all that is not known to be harmless."""
    words: set[str] = set()
    files: set[str] = set()
    for key, value in row.items():
        if key not in HARMLESS:
            text = repr(value)
            words |= set(re.findall(r"\bw\d+\b", text))
            files |= set(re.findall(r"\b\d\.png\b", text))
    return words, files
