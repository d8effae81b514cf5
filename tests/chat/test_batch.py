"""Many files: resumable, failures listed, tables made of the lines."""

import json
from pathlib import Path

import pytest

from viewfinder.chat.batch import find_images, run_many
from viewfinder.errors import MediaError


def _job(seen: list[str]):
    def run(file: str) -> dict:
        seen.append(file)
        if "bad" in file:
            raise MediaError(f"{file} is no picture; give one")
        media = [{"original_size": [10, 10]}]
        return {"boxes": [{"box": [1, 2, 3, 4], "label": "x"}], "media": media}

    return run


def test_results_failures_and_resuming(tmp_path: Path) -> None:
    seen: list[str] = []
    out = tmp_path / "results.jsonl"
    summary = run_many(["a.png", "bad.png", "b.png"], _job(seen), out)
    assert (summary.done, summary.skipped, list(summary.failed)) == (2, 0, ["bad.png"])
    again = run_many(["a.png", "bad.png", "b.png", "c.png"], _job(seen), out)
    assert (again.done, again.skipped, list(again.failed)) == (1, 2, ["bad.png"])
    assert seen == ["a.png", "bad.png", "b.png", "bad.png", "c.png"]
    assert "no picture" in again.sentence()


def test_a_line_cut_off_is_done_again_and_spoils_nothing(tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    run_many(["a.png", "b.png"], _job([]), out)
    out.write_text(out.read_text()[:-20])
    seen: list[str] = []
    run_many(["a.png", "b.png"], _job(seen), out)
    assert seen == ["b.png"]
    assert json.loads(out.read_text().splitlines()[-1])["file"] == "b.png"


@pytest.mark.parametrize(("name", "start"), [("r.csv", "file,"), ("r.json", "{")])
def test_tables_are_made_of_the_lines(tmp_path: Path, name: str, start: str) -> None:
    run_many(["a.png"], _job([]), tmp_path / name)
    assert (tmp_path / name).read_text().startswith(start)
    assert (tmp_path / "r.jsonl").exists()


def test_folders_are_searched_in_order_and_an_empty_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.PNG", "sub/a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert [Path(f).name for f in find_images([str(tmp_path)])] == ["b.PNG", "a.jpg"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="holds no pictures"):
        find_images([str(tmp_path / "empty")])
