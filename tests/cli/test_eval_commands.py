"""`eval` as people and programs meet it, in this process."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.serve.conftest import serving
from viewfinder.cli import eval_models
from viewfinder.cli.app import app


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr or result.exception
    return json.loads(result.stdout)


def test_list_has_the_reports_numbers() -> None:
    tasks = {task["name"]: task for task in told(call("list", "--json"))["tasks"]}
    assert tasks["chartqa"]["reported"] == {"72B": 89.5, "7B": 87.3, "3B": 84.0}
    assert tasks["omnidocbench"]["better"] == "lower"
    assert tasks["suite_boxes"]["data"] is None
    assert tasks["docvqa"]["data"]["repo"]
    assert "mathvista" in call("list").stdout


def test_run_writes_scores_page_and_manifests(tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ("run", "suite_boxes", "suite_conflict", "--model", "perfect", "--beside", "chance", "--count", 6)
    done = call(*arguments, "--out", out, "--json")
    found = told(done)["scores"]
    assert found["suite_boxes"]["perfect"]["score"] == 100.0
    assert found["suite_boxes"]["perfect"]["n"] == 6
    assert found["suite_boxes"]["chance"]["score"] < 100.0
    assert "12 requests" in done.stderr  # the price comes first
    assert json.loads((out / "scores.json").read_text())["scores"] == found
    page = (out / "index.html").read_text()
    assert page.count("data-task=") == 12
    assert "<th>chance</th>" in page
    again = call(*arguments, "--out", out)
    assert again.exit_code == 0
    assert "suite_conflict" in again.stdout


def test_a_checkpoint_with_blank_pictures_beside(checkpoint: Path, tmp_path: Path) -> None:
    arguments = ("--beside", "blind", "--beside", "untrained", "--count", 2, "--max-new-tokens", 8, "--grammar")
    found = told(call("run", "suite_points", "--model", checkpoint, *arguments, "--out", tmp_path, "--json"))
    assert set(found["scores"]["suite_points"]) == {checkpoint.name, "blind", "untrained"}
    manifest = json.loads((tmp_path / checkpoint.name / "suite_points" / "manifest.json").read_text())
    assert len(manifest["model"]["fingerprint"]) == 32
    assert manifest["constrained"] is True
    assert manifest["stamps"] != {"unknown": 2}
    rerun = call("rerun", tmp_path / checkpoint.name / "suite_points", "--json")
    assert told(rerun) == {
        "task": "suite_points",
        "before": manifest["scores"]["score"],
        "now": manifest["scores"]["score"],
        "same": True,
        "same_hash": True,
        "changed": {},
    }


def test_requests_at_once_share_the_steps_of_a_model_here(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, shared = [], eval_models.batched
    monkeypatch.setattr(eval_models, "batched", lambda model, size: sizes.append(size) or shared(model, size))
    arguments = ("--dtype", "float32", "--beside", "untrained", "--count", 4, "--max-new-tokens", 8, "--grammar")
    scores = []
    for number in (1, 3):
        out = tmp_path / str(number)
        told(
            call(
                "run",
                "suite_points",
                "--model",
                checkpoint,
                *arguments,
                "--concurrency",
                number,
                "--out",
                out,
                "--json",
            )
        )
        kept = [out / name / "suite_points" / "predictions.jsonl" for name in (checkpoint.name, "untrained")]
        scores.append([[json.loads(line)["text"] for line in path.read_text().splitlines()] for path in kept])
    assert sizes == [3, 3]
    assert scores[0] == scores[1]
    assert told(call("rerun", tmp_path / "3" / checkpoint.name / "suite_points", "--json"))["same_hash"]


def test_a_server_is_scored_as_a_model_here_is(tmp_path: Path) -> None:
    with serving() as running:
        arguments = ("--server", running.url, "--count", 4, "--concurrency", 2, "--grammar", "--max-new-tokens", 8)
        found = told(call("run", "suite_points", *arguments, "--beside", "blind", "--out", tmp_path, "--json"))
        (name, scored), _ = found["scores"]["suite_points"].items()
        assert scored["n"] == 4
        assert scored["failures"] == {}
        manifest = json.loads((tmp_path / name / "suite_points" / "manifest.json").read_text())
        assert manifest["model"]["name"] == f"small at {running.url}"
        assert len(manifest["model"]["fingerprint"]) == 32
        assert manifest["tokens"]["media_tokens"] > 0
        assert told(call("rerun", tmp_path / name / "suite_points", "--json"))["same_hash"]


def test_estimate_asks_nothing(tmp_path: Path) -> None:
    priced = told(call("run", "suites", "--estimate", "--count", 3, "--out", tmp_path / "x", "--json"))
    assert priced["requests"] == 3 * 11
    assert priced["media_tokens"] > 100
    assert not (tmp_path / "x").exists()


def test_rerun_and_compare(tmp_path: Path) -> None:
    for model, count in (("perfect", 6), ("chance", 6)):
        run = call("run", "suite_existence", "--model", model, "--count", count, "--out", tmp_path / model)
        assert run.exit_code == 0, run.stderr
    a, b = (tmp_path / m / m / "suite_existence" for m in ("chance", "perfect"))
    rerun = call("rerun", a)
    assert rerun.exit_code == 0, rerun.stdout
    assert "the same number" in rerun.stdout
    assert "same manifest hash" in rerun.stdout
    found = told(call("compare", a, b, "--json"))
    assert found["changed"]["model.name"] == ["chance", "perfect"]
    assert found["pairs"] == 6
    assert "suite_existence" in call("compare", a, b).stdout


def test_a_rerun_that_gives_another_number_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from viewfinder.eval.baselines import Baseline

    call("run", "suite_existence", "--model", "perfect", "--count", 6, "--out", tmp_path)
    monkeypatch.setattr(Baseline, "_say", lambda self, question, sight: "No")
    done = call("rerun", tmp_path / "perfect" / "suite_existence")
    assert done.exit_code == 1
    assert "ANOTHER number" in done.stdout


def test_missing_data_stop_one_task_and_not_the_other(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = call(
        *("run", "chartqa", "suite_existence", "--model", "perfect", "--count", 2),
        *("--data", tmp_path / "data", "--out", tmp_path / "out", "--json"),
    )
    assert done.exit_code == 1
    assert "chartqa with perfect was not run" in done.stderr
    assert json.loads(done.stdout)["scores"]["suite_existence"]["perfect"]["score"] == 100.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "chartq"), "did you mean chartqa"),
        (("rerun", "nowhere"), "has no manifest.json"),
        (("compare", "nowhere", "nowhere"), "has no manifest.json"),
    ],
)
def test_mistakes_are_said(arguments: tuple[str, ...], message: str) -> None:
    done = call(*arguments)
    assert done.exit_code != 0
    assert message in str(done.exception)


def test_what_cannot_stand_beside_is_said() -> None:
    assert "cannot stand beside" in call("run", "suite_boxes", "--beside", "gpt").stderr
    assert "no weights" in call("run", "suite_boxes", "--model", "perfect", "--beside", "untrained").stderr
