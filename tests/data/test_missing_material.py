"""What a machine lacks is said once, before anything is drawn; a kind that gives nothing fails the build."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from viewfinder.cli.app import app
from viewfinder.data.plan import Plan
from viewfinder.data.runner import run_plan
from viewfinder.data.sample import Sample
from viewfinder.data.sources.rows import guarded
from viewfinder.data.synth import kinds
from viewfinder.data.synth.kinds import KINDS, Options
from viewfinder.errors import DataError, MissingMaterial
from viewfinder.materials import needs
from viewfinder.materials.needs import NEEDS
from viewfinder.materials.shipped import set_name


@pytest.fixture
def without_verovio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(needs.NEEDS, "verovio", dataclasses.replace(NEEDS["verovio"], is_there=lambda: False))


def _lacking(*_: object) -> Sample:
    raise MissingMaterial("a page cannot be drawn without chromium")


def test_a_build_stops_before_anything_is_drawn(without_verovio: None, tmp_path: Path) -> None:
    source = {"name": "synth", "kinds": {"shapes": 9.0, "notations": 1.0}, "count": 40}
    with pytest.raises(MissingMaterial, match="'notations' cannot be drawn without verovio"):
        run_plan({"source": source}, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_the_command_fails_with_the_remedy(without_verovio: None, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["data", "build", "notations", "--count", "2", "--out", str(tmp_path / "set")])
    assert isinstance(done.exception, MissingMaterial)
    assert "pip install 'viewfinder[data]'" in str(done.exception)


def test_no_row_swallows_it(tmp_path: Path) -> None:
    with pytest.raises(MissingMaterial):
        guarded(lambda: _lacking(), "row 0")

    class Asking:
        name, version = "asking", 1

        def __call__(self, sample: Sample) -> list[Sample]:
            return [_lacking()]

    class Rows:
        def __len__(self) -> int:
            return 1

        def read(self, start: int, stop: int) -> list[Sample]:
            return [kinds.make("text", 0, 0, Options())]

    with pytest.raises(MissingMaterial):
        Plan(Rows(), (Asking(),), {}).run(0)  # type: ignore[arg-type]


def test_photographs_may_come_from_a_folder_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = dataclasses.replace(NEEDS["scikit-image"], is_there=lambda: False)
    monkeypatch.setitem(needs.NEEDS, "scikit-image", lacking)
    with pytest.raises(MissingMaterial, match="scikit-image"):
        KINDS["photos"].check(Options())
    KINDS["photos"].check(Options(objects=("some/folder",)))


def test_a_kind_without_samples_fails_the_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def never(rng: np.random.Generator, options: Options) -> Sample:
        raise DataError("nothing fits")

    monkeypatch.setattr(kinds, "never", never, raising=False)
    monkeypatch.setitem(KINDS, "never", dataclasses.replace(KINDS["text"], name="never", place="kinds:never"))
    source = {"name": "synth", "kinds": {"text": 1.0, "never": 1.0}, "count": 12}
    with pytest.raises(DataError, match="no sample of the kind 'never' came through"):
        run_plan({"source": source}, tmp_path / "set")
    assert "nothing fits" in (tmp_path / "set" / "quarantine.jsonl").read_text()
    assert not (tmp_path / "set" / "manifest.json").exists()


def test_the_manifest_names_the_materials_and_another_set_is_not_continued(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = {"name": "synth", "kinds": {"text": 1.0}, "count": 4}
    assert run_plan({"source": source}, tmp_path / "set")["materials"] == set_name()
    monkeypatch.setattr("viewfinder.data.sources.synth.materials_name", lambda folders: "core-2-00000000")
    monkeypatch.setattr("viewfinder.data.runner._plan", lambda text, model: _fresh(text))
    with pytest.raises(DataError, match="holds a set of another plan"):
        run_plan({"source": source}, tmp_path / "set")


def _fresh(text: str) -> Plan:
    from viewfinder.data.plan import build_plan

    return build_plan(json.loads(text))


def test_kinds_are_listed_with_what_is_missing(without_verovio: None) -> None:
    said = CliRunner().invoke(app, ["data", "kinds"]).output
    assert "verovio (missing)" in said
    assert "missing: verovio; pip install 'viewfinder[data]'" in said
    listed = json.loads(CliRunner().invoke(app, ["data", "kinds", "--json"]).output)
    assert listed["materials"] == set_name()
    by_name = {kind["name"]: kind for kind in listed["kinds"]}
    assert set(by_name) == set(KINDS)
    assert by_name["notations"]["missing"] == ["verovio"]
    assert by_name["pages"] | {"about": "", "version": 0} == {
        "name": "pages", "about": "", "version": 0, "needs": [], "missing": [],
    }  # fmt: skip


def test_every_need_is_one_that_can_be_checked() -> None:
    for kind in KINDS.values():
        assert set(kind.needs) <= set(NEEDS), kind.name
