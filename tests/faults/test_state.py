"""Faults that no kill makes: full disks, torn lines, two processes, files removed by hand, damaged files."""

import json
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.eval.little import NOWHERE, Says, right, words_task
from tests.faults.corrections import correct
from viewfinder.agent.episodes import play_worlds
from viewfinder.agent.settings import Settings
from viewfinder.agent.worlds import make_world
from viewfinder.agent.worlds.solver import solver
from viewfinder.chat.batch import run_many
from viewfinder.cli.show import save_plot
from viewfinder.data.shards import ShardReader
from viewfinder.errors import LimitError, ViewfinderError
from viewfinder.eval.runner import RunOptions, Subject, run
from viewfinder.serve.samples import SampleBook
from viewfinder.serve.settings import ServeSettings
from viewfinder.storage.lock import OutputInUse, locked
from viewfinder.storage.system_errors import StorageError


def _questions(folder: Path) -> list[str]:
    with ShardReader(folder) as reader:
        return [sample.question for sample in reader.samples()]


def test_corrections_go_on_after_a_lost_side_file_and_a_leftover(tmp_path: Path) -> None:
    for question in "abc":
        correct(tmp_path, question)
    (tmp_path / "shard-000001.json").unlink()
    (tmp_path / ".shard-000003.host-1.part.tar").write_bytes(b"of a server that was killed")
    assert correct(tmp_path, "d") == {"saved": 3, "samples": 4, "folder": tmp_path.name}
    assert _questions(tmp_path) == ["a", "b", "c", "d"]


def test_a_correction_removed_by_hand_gives_its_number_to_no_other(tmp_path: Path) -> None:
    for question in "abc":
        correct(tmp_path, question)
    (tmp_path / "shard-000001.tar").unlink()
    for question in "de":
        correct(tmp_path, question)
    assert _questions(tmp_path) == ["a", "c", "d", "e"]


def test_two_writers_lose_no_correction(tmp_path: Path) -> None:
    def add(name: str) -> None:
        for i in range(3):
            correct(tmp_path, f"{name}{i}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(add, "ab"))
    assert sorted(_questions(tmp_path)) == sorted(f"{name}{i}" for name in "ab" for i in range(3))


@pytest.mark.slow
def test_two_servers_lose_no_correction(tmp_path: Path) -> None:
    commands = [[sys.executable, "-m", "tests.faults.corrections", str(tmp_path), name] for name in "ab"]
    running = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for command in commands]
    assert [process.wait(120) for process in running] == [0, 0]
    assert sorted(_questions(tmp_path)) == sorted(f"{name}{i}" for name in "ab" for i in range(5))


@pytest.fixture
def small_disk() -> Any:
    """Files end at 4,000 bytes, as on a disk that is full."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def _long(file: str) -> dict[str, str]:
    return {"text": "é" * 300}


def _files(folder: Path, count: int) -> list[str]:
    files = [folder / f"{i}.png" for i in range(count)]
    for file in files:
        file.write_bytes(file.name.encode())
    return [str(file) for file in files]


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_later(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    files, out = _files(tmp_path, 10), tmp_path / "results.jsonl"
    request.getfixturevalue("small_disk")
    with pytest.raises(StorageError, match=r"results\.jsonl .*run the same command again; files .* are whole"):
        run_many(files, _long, out, {})
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    summary = run_many(files, _long, out, {})
    assert (summary.done, summary.skipped) == (5, 5)
    assert [json.loads(line)["file"] for line in out.read_text().splitlines()] == files


@pytest.mark.usefixtures("small_disk")
def test_a_correction_that_finds_no_space_spoils_no_later_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"File too large.*shard-000000\.tar"):
        correct(tmp_path, "a")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    correct(tmp_path, "b")
    assert _questions(tmp_path) == ["b"]


@pytest.mark.usefixtures("small_disk")
def test_a_picture_is_whole_or_as_before(tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    Image.new("RGB", (8, 8)).save(path)
    before = path.read_bytes()
    with pytest.raises(Exception, match=r"plot\.png"):
        save_plot(Image.effect_noise((200, 200), 90), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["plot.png"]


def test_one_process_writes_results_and_scores(tmp_path: Path) -> None:
    with locked(tmp_path / "results.jsonl"), pytest.raises(OutputInUse, match="being written by process"):
        run_many(["a.png"], _long, tmp_path / "results.jsonl", {})
    with locked(tmp_path / "run"), pytest.raises(OutputInUse):
        run(words_task(), NOWHERE, Subject(Says(right), "right"), RunOptions(out=tmp_path / "run"))


def test_damaged_lines_of_results_and_replies_cost_themselves_alone(tmp_path: Path) -> None:
    files, out = _files(tmp_path, 3), tmp_path / "results.jsonl"
    run_many(files, _long, out, {})
    lines = out.read_bytes().splitlines()
    out.write_bytes(b"\n".join([lines[0], lines[1][:40], lines[2], lines[0][:-5]]))
    assert run_many(files, _long, out, {}).skipped == 2
    run(words_task(), NOWHERE, Subject(Says(right), "right"), RunOptions(out=tmp_path / "run"))
    replies = tmp_path / "run/replies.jsonl"
    lines = replies.read_bytes().splitlines()
    replies.write_bytes(b"\n".join([lines[0], b"7", lines[1][:30], *lines[2:]]))
    model = Says(right)
    run(words_task(), NOWHERE, Subject(model, "right"), RunOptions(out=tmp_path / "run"))
    assert model.asked == ["Which word? (1)"]


def _play(out: Path, seeds: int, **about: Any) -> list[int]:
    played: list[int] = []

    def policy(world: Any, seed: int) -> Any:
        played.append(seed)
        if seed == 2 and seeds == 2:
            raise KeyboardInterrupt
        return solver(world)

    make = lambda name, seed: make_world(name, "drawn", seed, "test", size=(224, 224))  # noqa: E731
    settings = Settings(grammar=False, steps=12)
    play_worlds(policy, ["settings"], range(seeds), make, settings=settings, record=out, about=about)
    return played


def test_recorded_episodes_go_on_after_a_stop(tmp_path: Path) -> None:
    assert _play(tmp_path, 2, model="a") == [0, 1]
    noted = json.loads((tmp_path / "settings-1/played.json").read_text())
    (tmp_path / "settings-1/played.json").write_text(json.dumps({**noted, "played": None}))  # begun, and stopped
    assert _play(tmp_path, 3, model="a") == [1, 2]
    with pytest.raises(ViewfinderError, match="which would mix"):
        _play(tmp_path, 3, model="b")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(28, "No space left on device", "a.bin"), "no space is left for a.bin; free some"),
        (OSError(30, "Read-only file system", "a.bin"), "a.bin is on a read-only file system; name another place"),
        (json.JSONDecodeError("x", "{", 1), "a file is damaged or of another kind"),
    ],
)
def test_the_command_line_says_errors_of_the_system_in_one_sentence(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(sys.modules["viewfinder.cli.app"], "app", fail)
    with pytest.raises(SystemExit) as stopped:
        sys.modules["viewfinder.cli.app"].main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"viewfinder: {sentence}")
    assert said.count("\n") == 1


@pytest.mark.parametrize("limits", [{"max_samples": 2}, {"max_samples_bytes": 1}])
def test_corrections_stop_at_their_caps_and_lose_none(tmp_path: Path, limits: dict[str, int]) -> None:
    book = SampleBook(tmp_path, ServeSettings(**limits))
    kept = limits.get("max_samples", 1)
    for i in range(kept):
        assert correct(tmp_path, f"q{i}", book)["samples"] == i + 1
    with pytest.raises(LimitError, match=f"^{kept} corrections .* the most taken here"):
        correct(tmp_path, "one more", book)
    assert len(list(tmp_path.glob("shard-*.tar"))) == kept
