"""From rows of one's own to a score, through the command line."""

import json
from pathlib import Path

import pytest

from tests.eval.test_own import TILE, rows_file


def test_a_perfect_model_scores_everything(run_here, tmp_path: Path) -> None:
    path = rows_file(tmp_path, TILE, '{"total": "4.50"}', "Two cats.")
    done = run_here("eval", "run", "own", "--data", path, "--model", "perfect", "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    (score,) = json.loads(done.out)["scores"]["own"].values()
    assert (score["score"], score["n"]) == (100.0, 3)


def test_check_says_what_will_be_trained(run_here, tmp_path: Path) -> None:
    path, page = rows_file(tmp_path, TILE, "Two cats."), tmp_path / "page.html"
    done = run_here("data", "check", path, "--out", page)
    assert done.code == 0, done.err
    for words in ("2 of 2 rows", "1 place, read as pixels of the original", "carry loss", "100x80"):
        assert words in done.out
    assert page.read_text().count("<section>") == 2
    assert json.loads(run_here("data", "check", path, "--json").out)["trained"] > 0


@pytest.mark.parametrize("box", ["[120, 10, 900, 700]", "[500, 500, 990, 990]"])
def test_check_says_when_places_are_of_another_frame(run_here, tmp_path: Path, box: str) -> None:
    path = rows_file(tmp_path, TILE.replace("[10, 10, 30, 30]", box))
    done = run_here("data", "check", path)
    assert done.code == 1
    assert "--coordinates model" in done.out


def test_check_names_each_row_that_fails(run_here, tmp_path: Path) -> None:
    path = rows_file(tmp_path, TILE)
    rows = json.loads(path.read_text())
    rows.append({**rows[0], "images": ["absent.png"]})
    path.write_text(json.dumps(rows))
    done = run_here("data", "check", path)
    assert done.code == 1
    assert "1 of 2 rows can be read" in done.out
    assert "row 2 of rows.json" in done.out


def test_own_without_a_file_is_explained(run_here) -> None:
    done = run_here("eval", "run", "own", "--model", "perfect")
    assert "give --data held-out.json" in " ".join(done.err.split())


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_check_says_when_places_are_not_written_as_locate_writes_them_and_fixes_it(
    run_here, tmp_path: Path, suffix: str
) -> None:
    path = rows_file(tmp_path, TILE, f"Look: {TILE}", "Two cats.")
    if suffix == ".jsonl":
        rows = json.loads(path.read_text())
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run_here("data", "check", path)
    said = " ".join(done.out.split())
    assert done.code == 0, done.err
    for words in ("2 answers with places in another form", "does not know where that list ends", "--fix OUT"):
        assert words in said
    fixed = tmp_path / f"fixed{suffix}"
    done = run_here("data", "check", path, "--fix", fixed)
    assert "1 of them rewritten" in done.out
    done = run_here("data", "check", fixed)
    assert "1 answer with places in another form" in done.out
    assert "--fix OUT" not in done.out
    assert json.loads(run_here("data", "check", fixed, "--json").out)["readable"] == 3


def test_fixed_rows_lie_beside_the_others(run_here, tmp_path: Path) -> None:
    path = rows_file(tmp_path, TILE)
    done = run_here("data", "check", path, "--fix", tmp_path / "else" / "rows.json")
    assert done.code == 2
    assert "would not be found" in " ".join(done.err.split())
