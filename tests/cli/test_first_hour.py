"""What people do in the first hour, through the command line: folders, PDFs, clips, help, version, doctor."""

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from bench.document_files import lines_of, write_pdf
from tests.media.films import write_film
from viewfinder import __version__
from viewfinder.cli.app import COMMANDS
from viewfinder.cli.lazy import EXAMPLES


@pytest.fixture
def folder(picture: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    shutil.copy(picture, folder / "a.png")
    shutil.copy(picture, folder / "sub" / "a.png")
    Image.new("RGB", (90, 60), "blue").save(folder / "b.jpg")
    return folder


def test_a_folder_gives_copies_a_table_and_lines_of_progress(
    run_here, folder: Path, checkpoint: Path, tmp_path: Path
) -> None:
    drawn = tmp_path / "drawn"
    done = run_here("locate", folder, "box", "--model", checkpoint, "--plot", drawn, "--max-new-tokens", 20)
    assert done.code == 0, done.err
    pictures = sorted(path.name for path in drawn.glob("*.png"))
    assert len(pictures) == 3  # two are called a.png, and both are there
    assert "b.png" in pictures
    assert "3 done, 0 were there already" in done.out
    assert len(re.findall(r"^b\.jpg +\S", done.out, re.MULTILINE)) == 1
    assert len(re.findall(r"\d/3$", done.err, re.MULTILINE)) == 3
    assert len((drawn / "results.jsonl").read_text().splitlines()) == 3


def test_many_at_once_answer_as_one_alone(run_here, folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    run_here("locate", folder, "box", "--model", checkpoint, "--out", out, "--max-new-tokens", 40, "--dtype", "float32")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 3
    for row in rows:
        alone = run_here(
            "locate", row["file"], "box", "--model", checkpoint, "--json", "--max-new-tokens", 40, "--dtype", "float32"
        )
        assert json.loads(alone.out)["text"] == row["text"]


def test_a_pdf_runs_page_by_page_and_pages_count_from_one(run_here, checkpoint: Path, tmp_path: Path) -> None:
    paper = tmp_path / "paper.pdf"
    write_pdf(paper, [lines_of(["one"]), lines_of(["two"])])
    out = tmp_path / "r.csv"
    done = run_here("count", paper, "lines", "--model", checkpoint, "--out", out, "--max-new-tokens", 8)
    assert done.code == 0, done.err
    assert [line.split(",")[0] for line in out.read_text().splitlines()[1:]] == [f"{paper}#page=1", f"{paper}#page=2"]
    told = run_here("count", paper, "lines", "--model", checkpoint, "--max-new-tokens", 8)
    assert told.code == 0, told.err
    assert [line.split()[0] for line in told.out.splitlines()[:2]] == ["paper.pdf#page=1", "paper.pdf#page=2"]
    assert told.out.splitlines()[-1].startswith("2 done, 0 failed; --out")
    told = run_here("count", paper, "lines", "--model", checkpoint, "--max-new-tokens", 8, "--json")
    assert [row["file"] for row in json.loads(told.out)["results"]] == [f"{paper}#page=1", f"{paper}#page=2"]


def test_a_clip_is_sent_to_moments_by_name(run_here, tmp_path: Path) -> None:
    clip = write_film(tmp_path / "c.mp4", [0.0, 0.1], size=(64, 64))
    done = run_here("locate", clip, "x", "--model", "no-such-model")
    assert done.code == 2
    assert "viewfinder moments" in " ".join(done.err.split())


def test_version_and_short_help(run_here) -> None:
    assert run_here("--version").out.strip() == f"viewfinder {__version__}"
    assert run_here("-h").out == run_here("--help").out
    assert "--plot" in run_here("locate", "-h").out


def _commands() -> list[str]:
    return [name for name in EXAMPLES if name.split()[0] in COMMANDS]


def test_every_command_has_examples_whose_options_exist(run_here) -> None:
    assert set(COMMANDS) <= {name.split()[0] for name in EXAMPLES}
    assert any("train grpo" in line for line in EXAMPLES["train"])
    for name in _commands():
        said = run_here(*name.split(), "--help").out
        assert "Examples:" in said, name
        options = {word for line in EXAMPLES[name] for word in line.split() if word.startswith("-")}
        missing = {option for option in options if option not in said}
        assert not missing, (name, missing)


def test_ctrl_c_says_how_a_command_goes_on(run_here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("viewfinder.recipes.run.train", stopped)
    done = run_here("train", "sft", "--out", tmp_path / "run")
    assert (done.code, "the same command goes on from its last saved step" in done.err) == (130, True)
    monkeypatch.setattr("viewfinder.studies.runner.run", stopped)
    done = run_here("study", "cost", "--out", tmp_path / "studies")
    assert (done.code, "the same command goes on" in done.err) == (130, True)


def test_study_pages_without_results_write_nothing(run_here, tmp_path: Path) -> None:
    done = run_here("study", "pages", "--out", tmp_path / "nowhere", "--to", tmp_path / "pages")
    assert done.code == 2
    assert "nowhere holds no results of studies" in done.err
    assert not (tmp_path / "pages").exists()


def test_quantize_for_programs(run_here, checkpoint: Path, tmp_path: Path) -> None:
    command = ("quantize", checkpoint, "--to", "int8", "--out", tmp_path / "q8", "--check", "--max-loss", 10, "--json")
    done = run_here(*command)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert set(report) == {"out", "to", "bytes", "loss"}
    assert set(report["loss"]) == {"divergence", "likelihood", "agreement", "tokens"}
    assert report["bytes"] == sum(file.stat().st_size for file in (tmp_path / "q8").iterdir())


def test_doctor_says_what_is_there_and_what_serves(run_here) -> None:
    report = json.loads(run_here("doctor", "--json").out)
    assert report["versions"]["viewfinder"] == __version__
    assert set(report["compute"]) == {"device", "arithmetic", "attention", "narrow products"}
    said = run_here("doctor").out
    assert "[serve]" in said
    assert "for serve, the playground" in said


def test_a_run_folder_is_a_model(run_here, picture: Path, checkpoint: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(checkpoint, run / "export")
    (run / "config.json").write_text('{"recipe": "sft"}')  # a run's own settings, which are no model's
    done = run_here("locate", picture, "x", "--model", run, "--max-new-tokens", 8, "--json")
    assert done.code == 0, done.err
    assert run_here("inspect", picture, "--model", run).code == 0


def test_runs_are_compared_at_the_top_too(run_here, tmp_path: Path) -> None:
    done = run_here("compare", tmp_path, tmp_path)
    assert done.code == 2
    assert "manifest.json" in done.err
