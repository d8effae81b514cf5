"""The command line of the agent, with a model that knows the answer."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from viewfinder.agent.worlds import make_world
from viewfinder.agent.worlds.solver import solver
from viewfinder.cli import agent_commands
from viewfinder.cli.app import app

RUN = CliRunner()


@pytest.fixture
def knowing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is the solver of the very world that the command opens."""
    opened: list[Any] = []

    def environment(*given: Any) -> Any:
        opened.append(make_world("settings", "drawn", given[5], "train"))
        return opened[-1]

    def model(name: str) -> Any:
        words = SimpleNamespace(vocab_size=1024)
        settings = SimpleNamespace(min_pixels=3136, max_pixels=1003520)
        return SimpleNamespace(model=solver(opened[-1]), processor=SimpleNamespace(settings=settings, tokenizer=words))

    monkeypatch.setattr(agent_commands, "_environment", environment)
    monkeypatch.setattr(agent_commands.options, "open_model", model)


def test_run_record_and_replay(knowing: None, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    done = RUN.invoke(app, ["agent", "", "--world", "settings", "--seed", "2", "--record", str(directory), "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["reason"], result["checked"]) == ("success", True)
    assert (directory / "index.html").is_file()
    again = RUN.invoke(app, ["agent", "replay", str(directory)])
    assert again.exit_code == 0
    assert again.stdout.startswith("identical: ")


def test_a_dry_run_does_nothing(knowing: None) -> None:
    done = RUN.invoke(app, ["agent", "", "--world", "settings", "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "dry run: nothing was carried out" in done.stdout
    assert "is not done" in done.stdout


def test_exactly_one_screen_is_named() -> None:
    assert RUN.invoke(app, ["agent", "hello"]).exit_code == 2
    assert RUN.invoke(app, ["agent", "hello", "--desktop", "--phone"]).exit_code == 2


def test_worlds_play_and_samples(tmp_path: Path) -> None:
    assert "mail" in RUN.invoke(app, ["agent", "worlds"]).stdout
    out = tmp_path / "table.json"
    command = ["agent", "play", "mail", "--player", "solver", "--seeds", "2", "--out", str(out)]
    played = RUN.invoke(app, [*command, "--record", str(tmp_path / "runs")])
    assert played.exit_code == 0, played.output
    again = RUN.invoke(app, ["agent", "replay", str(tmp_path / "runs" / "mail-1")])
    assert again.stdout.startswith("identical: "), again.output
    assert json.loads(out.read_text())["worlds"][0]["success"] == 1.0
    for name, extra in (("set", []), ("pointing", ["--pointing", "--least", "140", "--most", "280"])):
        made = RUN.invoke(app, ["agent", "samples", str(tmp_path / name), "--count", "5", *extra])
        assert made.exit_code == 0, made.output
        assert json.loads((tmp_path / name / "manifest.json").read_text())["samples"] == 5
    assert RUN.invoke(app, ["agent", "samples", str(tmp_path / "no"), "--least", "300", "--most", "200"]).exit_code == 2
