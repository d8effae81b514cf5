"""Many files: resumable for equal content and settings only, failures listed, tables made of the lines."""

import json
from pathlib import Path

import pytest

from viewfinder.chat.answer_cache import differences
from viewfinder.chat.batch import run_many
from viewfinder.errors import MediaError, SettingsError
from viewfinder.media.find import find_images

RED = {"job": "locate", "query": "red", "sampling": {"temperature": 0.0}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png", "bad.png", "c.png"):
        (folder / name).write_text(name)
    return folder


def _job(seen: list[str], stop_at: str = ""):
    def run(file: str) -> dict:
        name = Path(file).name
        if name == stop_at:
            raise KeyboardInterrupt
        seen.append(name)
        if "bad" in name:
            raise MediaError(f"{name} is no picture; give one")
        return {"boxes": [{"box": [1, 2, 3, 4], "label": "x"}], "media": [{"original_size": [10, 10]}]}

    return run


def _paths(folder: Path, *names: str) -> list[str]:
    return [str(folder / f"{name}.png") for name in names]


def _rows(out: Path) -> list[dict]:
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.parametrize("workers", [1, 3])
def test_results_failures_and_resuming(folder: Path, tmp_path: Path, workers: int) -> None:
    seen: list[str] = []
    out = tmp_path / "results.jsonl"
    summary = run_many(_paths(folder, "a", "bad", "b"), _job(seen), out, RED, workers=workers)
    assert (summary.done, summary.skipped, [Path(f).name for f in summary.failed]) == (2, 0, ["bad.png"])
    again = run_many(_paths(folder, "a", "bad", "b", "c"), _job(seen), out, RED, workers=workers)
    assert (again.done, again.skipped) == (1, 2)
    assert sorted(seen) == ["a.png", "b.png", "bad.png", "bad.png", "c.png"]
    assert "no picture" in again.sentence()
    assert [Path(row["file"]).stem for row in _rows(out)] == ["a", "bad", "b", "c"]  # one line a file, in order


def test_a_changed_picture_is_done_again(folder: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "results.jsonl", list[str]()
    run_many(_paths(folder, "a", "b"), _job(seen), out, RED)
    (folder / "a.png").write_text("another picture")
    summary = run_many(_paths(folder, "a", "b"), _job(seen), out, RED)
    assert seen == ["a.png", "b.png", "a.png"]
    assert (summary.changed, summary.skipped) == (1, 1)
    assert "content has changed" in summary.sentence()


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({**RED, "query": "blue"}, "query was 'red' and is 'blue'"),
        ({**RED, "job": "count"}, "job was 'locate' and is 'count'"),
        ({**RED, "sampling": {"temperature": 1.0}}, r"sampling.temperature was 0.0 and is 1.0"),
    ],
)
def test_other_settings_are_refused_and_named(folder: Path, tmp_path: Path, other: dict, named: str) -> None:
    out = tmp_path / "results.csv"
    run_many(_paths(folder, "a"), _job([]), out, RED)
    seen: list[str] = []
    with pytest.raises(SettingsError, match=named):
        run_many(_paths(folder, "a", "b"), _job(seen), out, other)
    assert seen == []
    assert len(_rows(tmp_path / "results.jsonl")) == 1


def test_lines_that_do_not_say_how_they_were_made_are_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    out.write_text('{"file": "a.png", "boxes": []}\n')
    with pytest.raises(SettingsError, match="does not say with which model"):
        run_many(_paths(folder, "a"), _job([]), out, RED)


def test_a_line_cut_off_is_done_again_and_spoils_nothing(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    run_many(_paths(folder, "a", "b"), _job([]), out, RED)
    out.write_text(out.read_text()[:-20])
    seen: list[str] = []
    run_many(_paths(folder, "a", "b"), _job(seen), out, RED)
    assert seen == ["b.png"]
    assert len(_rows(out)) == 2


def test_a_stop_keeps_what_is_done_in_every_format(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    summary = run_many(_paths(folder, "a", "b", "c"), _job([], stop_at="b.png"), out, RED)
    assert (summary.done, summary.left) == (1, 2)
    assert "the same command goes on" in summary.sentence()
    assert "a.png" in out.read_text()
    seen: list[str] = []
    run_many(_paths(folder, "a", "b", "c"), _job(seen), out, RED)
    assert seen == ["b.png", "c.png"]
    assert out.read_text().count("\n") == 4


def test_errors_of_files_that_are_gone_do_not_linger(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    run_many(_paths(folder, "a", "bad"), _job([]), out, RED)
    assert "bad.png" in out.read_text()
    run_many(_paths(folder, "a"), _job([]), out, RED)
    assert "bad.png" not in out.read_text()
    assert "bad.png" not in (tmp_path / "r.jsonl").read_text()


@pytest.mark.parametrize(("name", "start"), [("r.csv", "file,"), ("r.json", "{")])
def test_tables_are_made_of_the_lines(folder: Path, tmp_path: Path, name: str, start: str) -> None:
    run_many(_paths(folder, "a"), _job([]), tmp_path / name, RED)
    assert (tmp_path / name).read_text().startswith(start)
    assert (tmp_path / "r.jsonl").exists()


def test_differences_are_named() -> None:
    assert differences({"query": "cat", "fps": 2}, {"query": "dog", "fps": 2}) == "query was 'cat' and is 'dog'"


def test_folders_are_searched_in_order_and_an_empty_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.PNG", "sub/a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert [Path(f).name for f in find_images([str(tmp_path)])] == ["b.PNG", "a.jpg"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="holds no pictures"):
        find_images([str(tmp_path / "empty")])
