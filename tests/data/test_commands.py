"""`viewfinder data ...` as its user types it, from making a set to training on it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.data.sources.reading import picture
from tests.recipes.making import QUICK, checkpoint
from tests.train.making import losses
from viewfinder.cli.app import app
from viewfinder.data.mixture import open_mixture
from viewfinder.data.packs import PackReader
from viewfinder.data.shards import ShardReader
from viewfinder.errors import DataError


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets") / "shapes"
    said = _run("build", "shapes", "--count", 24, "--per-shard", 10, "--max-side", 140, "--out", out)
    assert "24 samples in" in said
    return out


def test_a_set_is_built_with_card_manifest_and_counts(made: Path) -> None:
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["samples"] == 24
    assert manifest["stamp"]
    assert manifest["tokens"] > 0
    assert manifest["counts"]["license"] == {"Apache-2.0": 24}
    assert manifest["plan"]["source"]["options"]["split"] == "train"
    assert "## Licenses of the media" in (made / "README.md").read_text()
    assert json.loads((made / "report.json").read_text())["operators"]["measure"]["given"] == 24
    assert "all as the manifest says" in _run("verify", made)


def test_people_see_what_is_in_it(made: Path, tmp_path: Path) -> None:
    said = _run("inspect", made, "--out", tmp_path / "page.html", "--count", 3)
    assert "3 samples on" in said
    page = (tmp_path / "page.html").read_text()
    assert page.count("<section>") == 3
    assert page.count('class="trained"') >= 3
    assert page.count("data:image/jpeg;base64,") == 3
    said = _run("stats", made, "--plot", tmp_path / "plot.png")
    assert "24 samples" in said
    assert "tokens" in said
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"
    counts = json.loads(_run("stats", made, "--json"))
    assert counts["samples"] == 24
    assert counts["measures"]["tokens"]["min"] > 0


def test_sets_are_filtered_mixed_and_packed(made: Path, tmp_path: Path) -> None:
    said = _run("filter", made, "near_duplicates", "tag:keep=Grounding", "--out", tmp_path / "kept")
    with ShardReader(tmp_path / "kept") as reader:
        assert 0 < len(reader) < 24
        assert f"{len(reader)} samples in" in said
        assert all(sample.lineage[-2:] == ("near_duplicates@1", "tag@1") for sample in reader.samples())
    bad = [json.loads(line) for line in (tmp_path / "kept" / "quarantine.jsonl").read_text().splitlines()]
    assert len(bad) == 24 - len(reader)

    _run("mix", f"{made}=3", tmp_path / "kept", "--out", tmp_path / "mix.json", "--stage", "sft")
    assert open_mixture(tmp_path / "mix.json", "sft").shares.tolist() == [0.75, 0.25]

    packs = json.loads(_run("pack", made, "--length", 1024, "--length", 4096, "--out", tmp_path, "--json"))["packs"]
    assert [one["length"] for one in packs] == [1024, 4096]
    for one in packs:
        with ShardReader(made) as reader:
            packed = PackReader(tmp_path / f"packs-{one['length']}.parquet", reader)
            assert sorted(row for rows in packed.rows for row in rows) == list(range(24))
            assert all(sum(reader.index["tokens"][row] for row in rows) <= one["length"] for rows in packed.rows)
            ids = [[sample.id for sample in pack] for pack in packed.packs()]
            assert [[sample.id for sample in pack] for pack in packed.packs(1)] == ids[1:]
        assert one["fill"] == pytest.approx(one["tokens"] / (one["length"] * one["packs"]), abs=1e-4)
    with ShardReader(tmp_path / "kept") as reader, pytest.raises(DataError, match="packs another set"):
        PackReader(tmp_path / "packs-1024.parquet", reader)


def test_files_are_imported_and_the_unmeasured_is_not_packed(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "a.txt").write_text("A red field.")
    picture(tmp_path / "in" / "b.png")
    given = ("--license", "CC0-1.0", "--set", "prompt=Caption?", "--measure", "none")
    said = _run("import", "folder", tmp_path / "in", *given, "--out", tmp_path / "out")
    assert "1 samples in" in said
    with ShardReader(tmp_path / "out") as reader:
        assert reader[0].question == "Caption?"
        assert reader[0].license == "CC0-1.0"
    assert "b.png" in (tmp_path / "out" / "quarantine.jsonl").read_text()
    with pytest.raises(DataError, match="no token counts"):
        _run("pack", tmp_path / "out")
    listed = _run("sources")
    assert "warc" in listed
    assert "near_duplicates" in listed


def test_mistakes_are_one_sentence(made: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no kind 'pagez'; the kinds are"):
        _run("build", "pagez", "--out", tmp_path / "x")
    with pytest.raises(DataError, match="no operator 'polish'; there are measure"):
        _run("filter", made, "polish", "--out", tmp_path / "y")
    with pytest.raises(DataError, match="another plan"):
        _run("build", "shapes", "--count", 25, "--out", made)


def test_what_was_built_and_mixed_is_trained_on(made: Path, tmp_path: Path) -> None:
    checkpoint(tmp_path / "start")
    _run("build", "grounding", "--count", 6, "--max-side", 140, "--out", tmp_path / "more")
    _run("mix", f"{made}=1", f"{tmp_path / 'more'}=1", "--out", tmp_path / "mix.json")
    for source in (made, tmp_path / "mix.json"):
        out = tmp_path / f"run-{source.stem}"
        command = ["train", "sft", "--init", str(tmp_path / "start"), "--data", str(source), "--out", str(out)]
        result = CliRunner().invoke(app, [*command, *QUICK, "seq_len=4096", "steps=2"])
        assert result.exit_code == 0, result.output
        assert len(losses(out)) == 2
        refused = [json.loads(line) for path in out.glob("quarantine*") for line in path.read_text().splitlines()]
        assert refused == []
