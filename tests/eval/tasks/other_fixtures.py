"""Tiny data sets of the screen and text benchmarks, made here, in the official layouts and schemas."""

import gzip
import json
import struct
from pathlib import Path
from typing import Any

from tests.eval.making import cell, field, png, write_bytes, write_json, write_lines, write_parquet


def screenspot(root: Path) -> None:
    rows = [
        {
            "file_name": f"{i}.png",
            "bbox": [0.1, 0.2, 0.4, 0.5],
            "instruction": f"press {i}",
            "data_type": "icon",
            "data_source": "ios",
            "image": cell(f"s{i}", (280, 560)),
        }
        for i in range(2)
    ]
    write_parquet(root / "data" / "test-00000-of-00001.parquet", rows)


def screenspot_pro(root: Path) -> None:
    row = {
        "id": "cad_0",
        "img_filename": "cad/0.png",
        "bbox": [300, 20, 340, 60],
        "instruction": "draw a line",
        "instruction_cn": "画线",
        "application": "autocad",
        "platform": "windows",
        "ui_type": "icon",
        "group": "CAD",
        "img_size": [560, 280],
    }
    write_json(root / "annotations" / "autocad_windows.json", [row])
    write_bytes(root / "images" / "cad" / "0.png", png("cad", (560, 280)))


def _node(box: tuple[int, int, int, int]) -> bytes:
    rectangle = b"".join(field(i, value) for i, value in enumerate(box, 1))
    return field(1, 1) + field(2, rectangle) + field(23, 1)


def android_control(root: Path) -> None:
    """Two episodes, one of them in the test split, gzipped TFRecords with accessibility trees."""
    nodes = [_node((0, 0, 112, 224)), _node((10, 20, 60, 60)), _node((5, 150, 100, 200))]
    forest = field(1, field(11, b"".join(field(1, node) for node in nodes)))
    actions = [
        {"action_type": "click", "x": 40, "y": 40},
        {"action_type": "scroll", "direction": "down"},
        {"action_type": "input_text", "text": "hello"},
        {"action_type": "open_app", "app_name": "Clock"},
        {"action_type": "navigate_back"},
        {"action_type": "wait"},
    ]
    features: dict[str, Any] = {
        "goal": [b"set an alarm"],
        "screenshots": [png(f"step {i}", (112, 224)) for i in range(len(actions))],
        "accessibility_trees": [forest] * len(actions),
        "actions": [json.dumps(a).encode() for a in actions],
        "step_instructions": [f"do step {i}".encode() for i in range(len(actions))],
        "screenshot_widths": [112] * len(actions),
    }
    records = b"".join(_record(_example({**features, "episode_id": [number]})) for number in (3, 4))
    write_bytes(root / "android_control-00000-of-00001", gzip.compress(records))
    write_json(root / "splits.json", {"train": [4], "validation": [], "test": [3]})


def _example(features: dict[str, Any]) -> bytes:
    entries = b""
    for name, values in features.items():
        if isinstance(values[0], bytes):
            kind = field(1, b"".join(field(1, value) for value in values))
        else:
            kind = field(3, b"".join(field(1, value) for value in values))
        entries += field(1, field(1, name.encode()) + field(2, kind))
    return field(1, entries)


def _record(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + bytes(4) + data + bytes(4)


def mmlu_pro(root: Path) -> None:
    row = {
        "question": "2 + 2?",
        "options": [str(i) for i in range(10)],
        "answer_index": 4,
        "category": "math",
        "src": "made",
    }
    thought = "A: Let's think step by step. 2 + 2 is 4. The answer is (E)."
    write_parquet(
        root / "data" / "validation-00000-of-00001.parquet",
        [{**row, "question_id": 0, "answer": "E", "cot_content": thought}],
    )
    tests = [
        {**row, "question_id": i, "question": f"{i} + 2?", "answer": a, "cot_content": ""}
        for i, a in ((1, "D"), (2, "A"))
    ]
    write_parquet(root / "data" / "test-00000-of-00001.parquet", tests)


def gsm8k(root: Path) -> None:
    rows = [{"question": f"{n} ducks and one more?", "answer": f"So many.\n#### {n + 1:,}"} for n in (17, 1999)]
    write_parquet(root / "main" / "test-00000-of-00001.parquet", rows)


def math(root: Path) -> None:
    row = {
        "problem": "Half of one?",
        "solution": "So $\\boxed{\\frac{1}{2}}$.",
        "answer": "\\frac{1}{2}",
        "subject": "Algebra",
        "level": 1,
        "unique_id": "test/algebra/1.json",
    }
    write_lines(root / "test.jsonl", [row])


def humaneval(root: Path) -> None:
    row = {
        "task_id": "HumanEval/0",
        "prompt": 'from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    """Sum."""\n',
        "canonical_solution": "    return sum(numbers)\n",
        "test": "def check(candidate):\n    assert candidate([1, 2]) == 3\n    assert candidate([]) == 0\n",
        "entry_point": "total",
    }
    write_parquet(root / "openai_humaneval" / "test-00000-of-00001.parquet", [row])


def ifeval(root: Path) -> None:
    rows = [
        {
            "key": 1000,
            "prompt": "No commas, at least five words.",
            "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
            "kwargs": [{}, {"relation": "at least", "num_words": 5}],
            "response": "this has more than five words",
        },
        {
            "key": 1001,
            "prompt": "Answer in JSON.",
            "instruction_id_list": ["detectable_format:json_format"],
            "kwargs": [{}],
            "response": '{"a": 1}',
        },
    ]
    write_lines(root / "ifeval_input_data.jsonl", rows)
