"""What is written can be trusted: nothing of another query, model, option or picture is given as this one's."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from bench.document_files import lines_of, write_pdf


@pytest.fixture
def folder(picture: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy(picture, folder / name)
    return folder


@pytest.fixture
def other_model(checkpoint: Path, tmp_path: Path) -> Path:
    """The same architecture and settings; one weight of one layer differs."""
    other = tmp_path / "other"
    shutil.copytree(checkpoint, other)
    (weights,) = other.glob("*.safetensors")
    tensors = load_file(weights)
    tensors["model.norm.weight"] += 1.0
    save_file(tensors, weights)
    return other


def _locate(run_here, folder: Path, query: str, model: Path, out: Path, *more: object):
    return run_here("locate", folder, query, "--model", model, "--out", out, "--max-new-tokens", 8, *more)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda a: a | {"query": "blue"}, "query was 'red' and is 'blue'"),
        (lambda a: a | {"more": ("--max-pixels", 3136)}, "stamp was"),
        (lambda a: a | {"more": ("--min-confidence", 0.5)}, "min_confidence was 0.0 and is 0.5"),
        (lambda a: a | {"model": "other"}, "weights was"),
    ],
)
def test_out_of_another_run_is_refused_and_named(
    run_here, folder: Path, checkpoint: Path, other_model: Path, tmp_path: Path, change: Callable, named: str
) -> None:
    out = tmp_path / "r.jsonl"
    assert _locate(run_here, folder, "red", checkpoint, out).code == 0
    before = out.read_text()
    other = change({"query": "red", "model": "", "more": ()})
    done = _locate(run_here, folder, other["query"], other_model if other["model"] else checkpoint, out, *other["more"])
    assert done.code == 2
    assert named in done.err
    assert out.read_text() == before


def test_another_job_is_refused_and_a_changed_picture_done_again(
    run_here, folder: Path, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r.jsonl"
    _locate(run_here, folder, "red", checkpoint, out)
    done = run_here("count", folder, "red", "--model", checkpoint, "--out", out, "--max-new-tokens", 8)
    assert (done.code, "job was 'locate' and is 'count'" in done.err) == (2, True)
    Image.new("RGB", (60, 60), "green").save(folder / "a.png")
    done = _locate(run_here, folder, "red", checkpoint, out)
    assert "1 done, 1 were there already" in done.out
    assert "content has changed" in done.out
    sizes = [json.loads(line)["media"][0]["original_size"] for line in out.read_text().splitlines()]
    assert sizes == [[60, 60], [200, 100]]


def test_parse_and_library_do_not_take_another_models_reading(
    run_here, checkpoint: Path, other_model: Path, tmp_path: Path
) -> None:
    paper, kept = tmp_path / "paper.pdf", tmp_path / "pages.jsonl"
    write_pdf(paper, [lines_of(["Some words"])])
    parse = ("parse", paper, "--resume", kept, "--max-new-tokens", 8, "--model")
    assert run_here(*parse, checkpoint).code == 0
    done = run_here(*parse, other_model)
    assert (done.code, "weights was" in done.err) == (2, True)
    done = run_here(*parse, checkpoint, "--correct")
    assert (done.code, "correct was False and is True" in done.err) == (2, True)
    shelf = ("--library", tmp_path / "l.db", "--max-new-tokens", 8, "--model")
    assert run_here("library", "add", paper, *shelf, checkpoint).code == 0
    done = run_here("library", "add", paper, *shelf, other_model)
    assert (done.code, "library add --again" in done.err) == (2, True)
    assert run_here("library", "add", paper, *shelf, other_model, "--again").code == 0
    assert run_here("library", "remove", paper, *shelf[:2]).code == 0
    done = run_here("library", "add", *shelf, other_model)
    assert json.loads(run_here("library", "list", *shelf[:2], "--json").out)["files"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        ("locate", "{picture}", "x", "--plot", "{folder}/absent/p.png"),
        ("locate", "{picture}", "x", "--plot", "{folder}/p.xyz"),
        ("locate", "{picture}", "{picture}", "x", "--out", "{folder}/r.xml"),
        ("read", "{picture}", "--out", "{folder}/r.json"),
        ("moments", "{clip}", "x", "--vtt", "{folder}/absent/t.vtt"),
        ("moments", "{clip}", "x", "--plot", "{folder}/t.docx"),
        ("chart", "{picture}", "--csv", "{folder}/absent/t.csv"),
        ("extract", "{picture}", "--fields", "a", "--plot", "{folder}/p.xyz"),
    ],
)
def test_side_files_are_checked_before_the_model_is_loaded(
    run_here, picture: Path, tmp_path: Path, wrong: tuple[str, ...]
) -> None:
    from tests.media.films import write_film

    clip = tmp_path / "c.mp4"
    if wrong[0] == "moments":
        write_film(clip, [0.0, 0.1, 0.2, 0.3], size=(64, 64))
    names = {"picture": picture, "folder": tmp_path, "clip": clip}
    start = time.monotonic()
    done = run_here(*(part.format(**names) for part in wrong), "--model", "no-such-model")
    assert done.code == 2
    assert "no-such-model" not in done.err, "the model was looked for first"
    assert "Traceback" not in done.err
    assert time.monotonic() - start < 20


def test_the_answer_is_printed_even_if_the_plot_fails(
    run_here, checkpoint: Path, picture: Path, tmp_path: Path, monkeypatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", refuse)
    done = run_here("locate", picture, "x", "--model", checkpoint, "--max-new-tokens", 8, "--plot", tmp_path / "p.png")
    assert done.code == 2
    assert done.out.strip()
    assert "disk full" in done.err


def test_ctrl_c_says_what_is_done_and_how_to_go_on(
    run_here, folder: Path, checkpoint: Path, tmp_path: Path, monkeypatch
) -> None:
    from viewfinder.cli import picture_jobs

    asked: list[str] = []
    load = picture_jobs.load_page

    def stop(name: str) -> object:
        asked.append(name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return load(name)

    monkeypatch.setattr(picture_jobs, "load_page", stop)
    monkeypatch.setattr(picture_jobs, "BATCH", 1)
    out = tmp_path / "r.csv"
    done = _locate(run_here, folder, "red", checkpoint, out)
    assert done.code == 130
    assert "stopped with 1 to do; the same command goes on" in done.out
    assert "a.png" in out.read_text()
    assert "1 done, 1 were there already" in _locate(run_here, folder, "red", checkpoint, out).out
