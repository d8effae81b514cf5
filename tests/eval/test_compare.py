"""Two runs side by side."""

from pathlib import Path

import pytest

from tests.eval.little import NOWHERE, Says, boxes_task, right, right_on_even, words_task
from viewfinder.errors import EvaluationError
from viewfinder.eval.compare import compare
from viewfinder.eval.runner import RunOptions, Subject, run
from viewfinder.eval.task import MediaSettings
from viewfinder.messages import Sampling


def _run(folder: Path, answer=right, count: int = 12, **options) -> Path:
    run(words_task(count), NOWHERE, Subject(Says(answer), "m"), RunOptions(out=folder, **options))
    return folder


def test_what_changed_and_whether_it_is_chance(tmp_path: Path) -> None:
    a = _run(tmp_path / "a", right_on_even)
    b = _run(tmp_path / "b", settings=MediaSettings(max_pixels=78400), sampling=Sampling(max_new_tokens=9))
    found = compare(a, b)
    assert found.scores == (50.0, 100.0)
    assert found.changed == {"sampling.max_new_tokens": (8, 9), "settings.max_pixels": (None, 78400)}
    assert found.better == ["q1", "q3", "q5", "q7", "q9", "q11"]
    assert found.worse == []
    assert found.p == 0.03125  # McNemar: 2 / 2**6
    assert found.significant
    assert found.interval.low < found.difference == 0.5 < found.interval.high
    assert "settings.max_pixels: None -> 78400" in found.sentence()


def test_few_differences_could_be_chance(tmp_path: Path) -> None:
    a, b = _run(tmp_path / "a", right_on_even, 6), _run(tmp_path / "b", right, 6)
    assert compare(a, b).p == 0.25
    assert not compare(a, b).significant
    same = compare(a, a)
    assert same.p == 1.0
    assert "nothing else changed" in same.sentence()


def test_values_between_are_tested_by_permutation(tmp_path: Path) -> None:
    task = words_task(8, score=lambda said, q: 0.25 if said == q.truth else 0.125)
    for name, answer in (("a", right), ("b", right_on_even)):
        run(task, NOWHERE, Subject(Says(answer), name), RunOptions(out=tmp_path / name))
    found = compare(tmp_path / "a", tmp_path / "b")
    assert found.test == "paired permutation"
    assert found.p == 0.125  # four pairs differ, all one way: 2 / 2**4
    assert found.changed == {"model.name": ("a", "b")}


def test_other_questions_and_other_tasks_are_refused(tmp_path: Path) -> None:
    a = _run(tmp_path / "a")
    run(boxes_task(), NOWHERE, Subject(Says(right), "m"), RunOptions(out=tmp_path / "boxes"))
    with pytest.raises(EvaluationError, match="runs of one task"):
        compare(a, tmp_path / "boxes")
    (a / "predictions.jsonl").unlink()
    with pytest.raises(EvaluationError, match=r"predictions\.jsonl"):
        compare(a, a)
