"""What a score carries, and that nothing of it can be changed unseen."""

import json
from pathlib import Path

import pytest

from tests.eval.little import NOWHERE, Says, right, words_task
from viewfinder.errors import EvaluationError
from viewfinder.eval import manifest
from viewfinder.eval.runner import RunOptions, Subject, run


def test_equal_runs_have_equal_hashes_wherever_they_lie(tmp_path: Path) -> None:
    a, b = (
        run(words_task(), NOWHERE, Subject(Says(right), "m"), RunOptions(out=tmp_path / n, origin={"at": n}))
        for n in "ab"
    )
    assert a.hash == b.hash
    assert a.manifest["run"] != b.manifest["run"]


def test_data_prompt_and_answers_are_in_the_hash() -> None:
    base = run(words_task(), NOWHERE, Subject(Says(right), "m"))
    fewer = run(words_task(5), NOWHERE, Subject(Says(right), "m"))
    other = run(words_task(), NOWHERE, Subject(Says(lambda _: "word0"), "m"))
    assert len({base.hash, fewer.hash, other.hash}) == 3
    assert base.manifest["data"]["hash"] != fewer.manifest["data"]["hash"]
    assert base.manifest["data"]["hash"] == other.manifest["data"]["hash"]


def test_the_gap_to_the_report_is_said() -> None:
    task = words_task(reported={"3B": 90.0, "7B": 99.5})
    score = run(task, NOWHERE, Subject(Says(right), "m"))
    assert score.manifest["gap"] == {"3B": 10.0, "7B": 0.5}
    assert set(score.manifest["versions"]) >= {"python", "viewfinder", "numpy", "Pillow"}
    assert set(score.manifest["code"]) == {"questions", "read", "score", "total"}
    assert score.manifest["seed"] == 0


def test_an_edited_manifest_is_refused(tmp_path: Path) -> None:
    run(words_task(), NOWHERE, Subject(Says(right), "m"), RunOptions(out=tmp_path))
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"score": 100.0', '"score": 99.0'))
    with pytest.raises(EvaluationError, match="was edited"):
        manifest.read(tmp_path)


def test_a_run_that_is_not_done_has_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="finish that first"):
        manifest.read(tmp_path)


def test_differences_name_leaves() -> None:
    a = {"x": 1, "deep": {"same": 1, "other": [1, 2]}}
    b = {"x": 1, "deep": {"same": 1, "other": [1, 3]}, "new": None, "more": 2}
    assert manifest.differences(a, b) == {"deep.other": ([1, 2], [1, 3]), "more": (None, 2)}


def test_intervals_hold_the_score_and_follow_the_seed() -> None:
    task = words_task(40)
    wrong_on_some = Says(lambda asked: right(asked) if "3" not in asked else "")
    score = run(task, NOWHERE, Subject(wrong_on_some, "m"))
    low, high, level = score.manifest["interval"]
    assert low < score.value < high
    assert level == 0.95
    again = run(task, NOWHERE, Subject(wrong_on_some, "m"))
    assert again.manifest["interval"] == score.manifest["interval"]


def test_json_on_disk_is_what_the_score_says(tmp_path: Path) -> None:
    score = run(words_task(), NOWHERE, Subject(Says(right), "m"), RunOptions(out=tmp_path))
    assert json.loads((tmp_path / "manifest.json").read_text()) == json.loads(json.dumps(score.manifest))
    assert not list(tmp_path.glob("*.part"))
