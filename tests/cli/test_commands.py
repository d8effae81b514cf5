"""The commands as people and programs meet them: one JSON document, one line for a mistake, files written."""

import json
from pathlib import Path

import pytest
from PIL import Image


def test_locate_answers_in_one_json_document_and_draws(run, checkpoint: Path, picture: Path, tmp_path: Path) -> None:
    plot = tmp_path / "plot.png"
    done = run(
        "locate", picture, "every red box", "--model", checkpoint, "--json", "--plot", plot, "--max-new-tokens", 60
    )
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["media"][0]["original_size"] == [200, 100]
    assert result["media"][0]["resized_size"][0] % 28 == 0
    for found in result["boxes"]:
        x1, y1, x2, y2 = found["box"]
        assert 0 <= x1 <= x2 <= 200
        assert 0 <= y1 <= y2 <= 100
    with Image.open(plot) as drawn:
        assert drawn.width == 2 * drawn.height  # small pictures are drawn larger, in proportion


@pytest.mark.parametrize("command", ["point", "count"])
def test_other_jobs_answer_in_json(run, checkpoint: Path, picture: Path, command: str) -> None:
    done = run(command, picture, "dots", "--model", checkpoint, "--json", "--max-new-tokens", 60)
    assert done.code == 0, done.err
    assert isinstance(json.loads(done.out)["points"], list)


def test_ask_and_read_print_text(run, checkpoint: Path, picture: Path) -> None:
    done = run("ask", picture, "What is this?", "--model", checkpoint, "--max-new-tokens", 5)
    assert done.code == 0
    assert "cut (length)" in done.err
    assert "text" in json.loads(run("read", picture, "--model", checkpoint, "--json", "--max-new-tokens", 5).out)


def test_inspect_needs_no_weights_for_official_sizes(run, picture: Path) -> None:
    done = run("inspect", picture, "--model", "3B", "--prompt", "Hello", "--positions", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    (item,) = result["items"]
    assert item["original_size"] == [200, 100]
    assert item["resized_size"] == [196, 112]
    assert item["grid_thw"] == [1, 8, 14]
    assert item["tokens"] == 28
    assert item["second_per_grid_ts"] is None
    assert [len(row) for row in result["position_ids"]] == [result["input_ids"]] * 3
    assert result["rope_delta"] == max(max(row) for row in result["position_ids"]) + 1 - result["input_ids"]
    assert result["flops"] > 0
    assert result["bytes"] > 7e9


def test_many_files_are_resumed(run, checkpoint: Path, picture: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(picture.read_bytes())
    (folder / "c.jpg").write_text("not a picture")
    arguments = ("locate", folder, "boxes", "--model", checkpoint, "--out", tmp_path / "r.csv", "--max-new-tokens", 20)
    first = run(*arguments)
    assert first.code == 1
    assert "2 done" in first.out
    assert "c.jpg" in first.out
    again = run(*arguments)
    assert "0 done, 2 were there already, 1 failed" in again.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["locate", "absent.png", "x"], "absent.png"),
        (["locate", "{text}", "x"], "photo.jpg"),
        (["inspect", "{picture}", "--model", "no/such/place"], "checkpoint directory"),
        (["locate", "{picture}", "x", "--model", "{folder}"], "config.json"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    run, picture: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "photo.jpg").write_text("this is text")
    names = {"picture": picture, "text": tmp_path / "photo.jpg", "folder": tmp_path}
    done = run(*(argument.format(**names) for argument in arguments))
    assert done.code == 2
    assert done.out == ""
    assert len(done.err.strip().splitlines()) == 1
    assert message in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("arguments", [["locate", "only-one"], ["locate", ".", "x", "--plot", "one.png"], ["inspect"]])
def test_misuse_is_explained_with_code_2(run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert "Traceback" not in done.err
