"""Rows of one's own, scored by what their answers are."""

import json
from pathlib import Path

import pytest
from PIL import Image

from viewfinder.errors import EvaluationError
from viewfinder.eval.source import Files
from viewfinder.eval.tasks.own import TASK, measures, questions

TILE = '[{"bbox_2d": [10, 10, 30, 30], "label": "tile"}]'


def rows_file(folder: Path, *answers: str) -> Path:
    Image.new("RGB", (100, 80), "white").save(folder / "a.png")
    rows = [
        {
            "messages": [{"role": "user", "content": f"<image>What {i}?"}, {"role": "assistant", "content": answer}],
            "images": ["a.png"],
        }
        for i, answer in enumerate(answers)
    ]
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    return path


def test_what_is_right_follows_from_the_answer(tmp_path: Path) -> None:
    path = rows_file(tmp_path, TILE, '[{"point_2d": [20, 20], "label": "x"}]', '{"total": "4.50"}', "Two cats.")
    found = list(questions(TASK.data.open(path)))
    assert [question.tags["answer"] for question in found] == ["boxes", "points", "json", "text"]
    assert found[0].truth == {"boxes": [[10, 10, 30, 30]], "labels": ["tile"]}
    assert all(len(question.messages) == 1 for question in found)


@pytest.mark.parametrize(
    ("kind", "prediction", "truth", "expected"),
    [
        (
            "boxes",
            [{"box": [10, 10, 30, 30], "label": "tile"}],
            {"boxes": [[10, 10, 30, 20]], "labels": ["tile"]},
            (1, 0.5),
        ),
        (
            "boxes",
            [{"box": [10, 10, 30, 30], "label": "lamp"}],
            {"boxes": [[10, 10, 30, 30]], "labels": ["tile"]},
            (0, 1),
        ),
        ("points", [[20, 20], [70, 70]], {"points": [[21, 20]], "near": 5}, (2 / 3,)),
        ("span", [1.0, 3.0], {"span": [2.0, 4.0]}, (1 / 3,)),
        ("json", {"a": "1", "b": "2"}, {"value": {"a": "1", "b": "3"}}, (0.5, 0)),
        ("text", "two  CATS", "Two cats", (1, None)),
        ("text", None, "Two cats", (0, 0)),
    ],
)
def test_measures(kind: str, prediction: object, truth: object, expected: tuple[float | None, ...]) -> None:
    values = list(measures(prediction, truth, kind).values())
    for value, wanted in zip(values, expected, strict=True):
        assert wanted is None or value == pytest.approx(wanted)


def test_a_row_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = rows_file(tmp_path, TILE)
    (tmp_path / "a.png").unlink()
    with pytest.raises(EvaluationError, match=r"row 1 of rows.json.*data check"):
        list(questions(Files(path)))
