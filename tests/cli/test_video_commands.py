"""`moments`, `describe` and `inspect` on clips: the official time ids, files written, mistakes explained."""

import json
import math
from pathlib import Path

import pytest
from PIL import Image

from tests.media.films import write_film
from viewfinder.cli.video_commands import sheet_times
from viewfinder.outputs.spans import Span


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s at 10 frames a second."""
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", [k / 10 for k in range(120)], size=(160, 120))


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A screen recording that goes idle: 10 frames a second for 4 s, then one in two seconds."""
    times = [k / 10 for k in range(40)] + [4 + 2 * k for k in range(5)]
    return write_film(tmp_path_factory.mktemp("idle") / "idle.mkv", times, size=(160, 120))


@pytest.mark.parametrize(("rate", "step"), [(2, 1.0), (3, 2 / 3), (0.5, 4.0)])
def test_inspect_gives_the_time_ids_of_the_official_algorithm(run_here, film: Path, rate: float, step: float) -> None:
    done = run_here("inspect", film, "--model", "3B", "--fps", rate, "--positions", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    (item,) = result["items"]
    frames = 12 * rate
    assert item["frame_times"] == pytest.approx([i / rate for i in range(int(frames))], abs=0.051)
    assert item["duration"] == pytest.approx(12.0, abs=0.1)
    assert item["second_per_grid_ts"] == pytest.approx(step, abs=1e-6)
    grid, rows, columns = item["grid_thw"]
    assert item["tokens"] == grid * rows * columns // 4 <= item["token_budget"] == 115_200
    width, height = item["resized_size"]
    assert item["frame_bytes"] == 3 * width * height * len(item["frame_times"])
    temporal, vertical, horizontal = result["position_ids"]
    begin = next(i for i in range(len(temporal)) if not temporal[i] == vertical[i] == horizontal[i]) - 1
    per_step = rows * columns // 4
    seen = temporal[begin : begin + item["tokens"]][::per_step]
    assert seen == [temporal[begin] + math.floor(k * step * 2 + 1e-6) for k in range(grid)]
    assert (
        temporal[begin + item["tokens"]]
        == max(max(row[: begin + item["tokens"]]) for row in result["position_ids"]) + 1
    )


def test_inspect_of_uneven_frames_follows_their_true_times(run_here, recording: Path) -> None:
    done = run_here("inspect", recording, "--model", "3B", "--fps", 2, "--json")
    assert done.code == 0, done.err
    (item,) = json.loads(done.out)["items"]
    shown = [k / 10 for k in range(40)] + [4.0, 6.0, 8.0, 10.0, 12.0]
    assert all(min(abs(time - t) for t in shown) < 1e-3 for time in item["frame_times"])
    text = run_here("inspect", recording, "--model", "3B", "--fps", 2).out
    assert "of 115200 allowed" in text


def test_moments_and_describe_write_what_they_say(run_here, checkpoint: Path, film: Path, tmp_path: Path) -> None:
    plot, subtitles, kept = tmp_path / "sheet.png", tmp_path / "times.vtt", tmp_path / "kept.jsonl"
    files = ("--max-new-tokens", 30, "--plot", plot, "--vtt", subtitles, "--resume", kept)
    done = run_here("moments", film, "white", "--model", checkpoint, "--json", "--fps", 1, *files)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["duration"] == pytest.approx(12, abs=0.1)
    for moment in result["moments"]:
        assert 0 <= moment["start"] <= moment["end"] <= result["duration"] + 1e-6
        assert moment["label"] == "white"
    assert subtitles.read_text().startswith("WEBVTT")
    assert subtitles.read_text().count("-->") == len(result["moments"])
    with Image.open(plot) as sheet:
        assert sheet.width == 1200
    windows = len(kept.read_text().splitlines())
    assert windows >= 1
    assert "windows: 1/1" in done.err  # a line each where there is no terminal
    again = run_here("moments", film, "white", "--model", checkpoint, "--json", "--fps", 1, *files)
    assert json.loads(again.out)["moments"] == result["moments"]
    assert len(kept.read_text().splitlines()) == windows
    done = run_here("describe", film, "--model", checkpoint, "--fps", 0.5, "--max-new-tokens", 10)
    assert done.code == 0, done.err
    assert done.out.strip()


def test_the_sheet_shows_the_evidence() -> None:
    span = Span(2, 5, "x", 0.5, (2.0, 3.0, 4.0, 5.0))
    assert sheet_times([span], 8.0, 4) == [2.0, 4.0, 5.0, 6.0]  # the example of the docstring
    assert sheet_times([], 8.0, 4) == [1.0, 3.0, 5.0, 7.0]
    many = [Span(i, i + 0.5, str(i), None, (i + 0.1, i + 0.2)) for i in range(40)]
    chosen = sheet_times(many, 41.0, 12)
    assert len(chosen) == 12
    assert chosen == sorted(set(chosen))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("moments", "{text}", "x"), "clip.mp4"),
        (("moments", "absent.mp4", "x"), "absent.mp4"),
        (("describe", "{picture}"), "still picture"),
        (("inspect", "{text}"), "clip.mp4"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(run_here, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "clip.mp4").write_text("this is text")
    Image.new("RGB", (60, 60)).save(tmp_path / "still.jpg")
    names = {"text": tmp_path / "clip.mp4", "picture": tmp_path / "still.jpg"}
    done = run_here(*(argument.format(**names) for argument in arguments))
    assert (done.code, done.out) == (2, "")
    assert len(done.err.strip().splitlines()) == 1
    assert message in done.err
