"""Every study in its smoke version, the journal it goes on from, what settings share, and the figures."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from viewfinder.chat import load
from viewfinder.eval.builtin import all_builtin
from viewfinder.studies import clips, runner, tuning
from viewfinder.studies.figure import draw, page, summary
from viewfinder.studies.lab import Lab, opened
from viewfinder.studies.study import NAMES, Findings, Panel, Series, Study, StudyError, find_study

DOCS = Path(__file__).parents[2] / "docs" / "studies"
KEPT = {file.stem[3:]: json.loads(file.read_text()) for file in sorted((DOCS / "results").glob("[0-9]*.json"))}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with opened(load("tiny"), name="tiny", fingerprint="f", smoke=True, train=True) as made:
        yield made


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Training is left out; how many rows it would have had."""
    seen: list[int] = []

    def tuned(lab: Lab, name: str, rows: Any, *rest: Any, **more: Any) -> Any:
        seen.append(len(rows))
        return lab.alone

    for name in ("corrections", "filters", "shift"):
        monkeypatch.setattr(f"viewfinder.studies.{name}.tuned", tuned)
    return seen


@pytest.mark.parametrize("name", [name for name in NAMES if name != "geometry"])
def test_the_smoke_version_measures_and_answers(name: str, lab: Lab, taught: list[int], tmp_path: Path) -> None:
    study = find_study(name)
    results = runner.run(study, replace(lab, out=tmp_path / name), "viewfinder study")
    assert len(results["records"]) == len(study.settings(True))
    page = (tmp_path / name / "page.md").read_text()
    assert page.startswith(f"# {study.number}. {study.title}\n")
    assert "Smoke version" in page
    assert bool(taught) == (name in ("corrections", "filters"))


@pytest.mark.parametrize("name", sorted(KEPT))
def test_the_page_in_the_documentation_is_what_its_results_say(name: str) -> None:
    study, findings = find_study(name), find_study(name).find(KEPT[name]["records"])
    assert 2 <= findings.answer.count(". ") + 1 <= 3
    assert all(len(row) == len(findings.heads) for row in findings.rows)
    written = page(study, findings, KEPT[name]["manifest"], f"{study.page}.svg")
    assert (DOCS / f"{study.page}.md").read_text() == written
    assert (DOCS / f"{study.page}.svg").is_file()


def test_the_summary_in_the_documentation_is_what_the_results_say() -> None:
    notes = json.loads((DOCS / "results" / "notes.json").read_text())
    text = summary(KEPT, notes)
    assert (DOCS / "README.md").read_text() == text
    unrun = [name for name in NAMES if name not in KEPT]
    assert all(f"*Not run:* {notes[name]}" in text for name in unrun)


def _counting(measured: list[str]) -> Study:
    def measure(lab: Lab, setting: Any) -> dict[str, int]:
        measured.append(setting["name"])
        if setting["name"] == "b" and len(measured) < 3:
            raise KeyboardInterrupt
        return {"value": len(setting["name"])}

    rows = [{"name": "a"}, {"name": "b"}]
    found = Findings("One. Two.", [], ["x"], [["1"]], ["Nothing."])
    return Study(1, "counting", "Counting", "how many", lambda smoke: rows, measure, lambda records: found, "nothing")


def test_a_stopped_study_goes_on_where_it_was(tmp_path: Path) -> None:
    measured: list[str] = []
    study, lab = _counting(measured), Lab(out=tmp_path / "s")
    with pytest.raises(KeyboardInterrupt):
        runner.run(study, lab, "c")
    results = runner.run(study, lab, "c")
    assert measured == ["a", "b", "b"]
    again = runner.run(study, replace(lab), "c")
    assert again["records"] == results["records"]
    assert json.loads((tmp_path / "s" / "results.json").read_text())["manifest"]["command"] == "c"
    runner.run(study, replace(lab, fingerprint="other weights"), "c")
    assert measured[3:] == ["a", "b"]


def test_what_trains_must_be_allowed_to() -> None:
    with pytest.raises(StudyError, match="--train"):
        runner.run(replace(_counting([]), trains=True), Lab(), "c")
    with pytest.raises(StudyError, match="positions"):
        find_study("nothing like it")


def test_settings_share_questions_and_the_features_of_equal_pixels(lab: Lab) -> None:
    task = all_builtin()["builtin_point"]
    assert lab.questions(task, 2) is lab.questions(task, 2)
    counters = lab.model().model.engine.counters  # type: ignore[attr-defined]
    first = lab.ask(task, "one", 2)
    reused = counters.reused_tokens
    second = lab.ask(task, "two", 2)
    assert [s.text for s in first] == [s.text for s in second]
    assert counters.reused_tokens > reused


def test_the_same_event_is_asked_in_every_length_and_the_changes_are_seen() -> None:
    short, long = clips.clip(3, 10), clips.clip(3, 600)
    assert short.query == long.query
    assert short.end - short.start == pytest.approx(long.end - long.start)
    times = clips.content_aware(long, 32, 2)
    inside = [t for t in times if long.start - 0.5 <= t <= long.end + 0.5]
    assert len(times) % 2 == 0
    assert len(times) <= 32
    assert len(inside) >= 2  # an even choice of 32 in 600 seconds puts none or one into a few seconds
    assert clips.even(10, 0.5) == (0, 2, 4, 6)


def test_rows_that_are_taught_hold_the_right_box(tmp_path: Path) -> None:
    from viewfinder.eval.answer_format import box
    from viewfinder.eval.builtin import renderers

    (row,) = [next(tuning.rows(renderers.locate, box))]
    tuning.write_rows(tmp_path, [row])
    (written,) = json.loads((tmp_path / "rows.json").read_text())
    assert str(round(row[0].truth[0])) in written["messages"][1]["content"]
    assert (tmp_path / written["images"][0]).is_file()


def test_the_same_panels_give_the_same_bytes(tmp_path: Path) -> None:
    panels = [
        Panel("t", "x", "y", [Series("a", [1, 2], [[5, 4, 6, 9], 7])]),
        Panel("u", "", "", [Series("b", ["k"], [3])], "bars"),
    ]
    files = [tmp_path / f"{n}.svg" for n in "ab"]
    assert all(draw(panels, file) for file in files)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not draw([], tmp_path / "none.svg")
