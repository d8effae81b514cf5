"""Rows that are refused stop a run that has no others, and none of them is lost."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.recipes.making import checkpoint, conversations, trainer, turns
from viewfinder.cli.app import app, main
from viewfinder.errors import DataError
from viewfinder.outputs.json_lines import read_values

PAIR = {"conversations": turns("say", "one"), "rejected": ["two", "three"]}
GOOD = {"conversations": turns("say", "one"), "rejected": "two"}


@pytest.mark.parametrize("settings", [[], ["preference.reference=precomputed"], ["workers=1"], ["data.epochs=0"]])
def test_a_run_without_a_row_stops_with_the_reasons(tmp_path: Path, settings: list[str]) -> None:
    source = conversations(tmp_path / "pairs.jsonl", [PAIR] * 8)
    with pytest.raises(DataError, match=r"rows were refused; row \d of pairs.jsonl and \d+ more: .*'rejected' holds 2"):
        trainer("dpo", tmp_path / "run", ["steps=2", f"data.source={source}", "data.epochs=1", *settings]).run()
    rows = read_values(tmp_path / "run/quarantine.jsonl")
    assert {row["row"] for row in rows} == {f"row {i} of pairs.jsonl" for i in range(1, 9)}
    assert all("'rejected' holds 2 values" in row["reason"] for row in rows)
    assert not (tmp_path / "run/export").exists()


def test_refusals_of_the_last_rows_are_kept(tmp_path: Path) -> None:
    """A step takes what fits; rows after the last step are told of too."""
    rows = [GOOD] * 6 + [PAIR]
    source = conversations(tmp_path / "pairs.jsonl", rows)
    for seed in range(4):  # whatever place the shuffle gives the wrong one
        out = tmp_path / f"run{seed}"
        settings = [
            f"data.source={source}",
            "data.epochs=1",
            f"seed={seed}",
            "steps=50",
            "seq_len=160",
            "global_batch_size=1",
        ]
        trainer("dpo", out, settings).run()
        assert [row["row"] for row in read_values(out / "quarantine.jsonl")] == ["row 7 of pairs.jsonl"]


def test_half_of_the_rows_refused_is_told_row_by_row(tmp_path: Path) -> None:
    source = conversations(tmp_path / "rows.jsonl", [{"conversations": turns("one", "")}] * 120)
    with pytest.raises(DataError, match="100 of the first 100 rows were refused"):
        trainer("sft", tmp_path / "run", ["steps=2", f"data.source={source}"]).run()
    assert len(read_values(tmp_path / "run/quarantine.jsonl")) == 100


def test_held_out_rows_that_cannot_be_read_are_told_of(tmp_path: Path) -> None:
    source = conversations(tmp_path / "pairs.jsonl", [GOOD] * 6 + [PAIR])
    settings = [f"data.source={source}", "data.epochs=1", "steps=1", "data.holdout=2", "validate_every=1"]
    trainer("dpo", tmp_path / "run", settings).run()
    assert [row["row"] for row in read_values(tmp_path / "run/quarantine.jsonl")] == ["row 7 of pairs.jsonl"]


@pytest.mark.parametrize("workers", [0, 1])
def test_the_command_says_it_in_one_line(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = conversations(tmp_path / "pairs.jsonl", [PAIR] * 8)
    begin = checkpoint(tmp_path / "start")
    command = ["train", "dpo", "--init", str(begin), "--out", str(tmp_path / "run"), "--data", str(source)]
    command += [
        f"workers={workers}",
        "threads=1",
        "bf16=false",
        "steps=2",
        "seq_len=512",
        "peak_flops=1e12",
        "data.epochs=1",
    ]
    monkeypatch.setattr("sys.argv", ["viewfinder", *command])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    said = capsys.readouterr().err.strip()
    assert "8 of the first 8 rows were refused" in said.splitlines()[-1]
    assert len([line for line in said.splitlines() if "refused" in line]) == 1
    assert "Traceback" not in said
    assert CliRunner().invoke(app, command).exit_code != 0
    assert json.loads((tmp_path / "run/quarantine.jsonl").read_text().splitlines()[0])["row"].endswith("pairs.jsonl")
