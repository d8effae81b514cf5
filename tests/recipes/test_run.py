"""`viewfinder train`: runs, goes on, survives a kill at any moment, and says what is wrong in one line."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.recipes.making import QUICK, checkpoint, shards
from tests.train.making import losses
from viewfinder.cli.app import app
from viewfinder.errors import ViewfinderError
from viewfinder.model.weights import load_model
from viewfinder.recipes.run import train
from viewfinder.recipes.sizes import read_heads
from viewfinder.tiny.extra_losses import build
from viewfinder.train.checkpoint import load_tensors, save_state, saved_states, stored_shapes


def command(tmp_path: Path, *settings: str) -> list[str]:
    options = ["--init", str(tmp_path / "start"), "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    return ["train", "sft", *options, *QUICK, *settings]


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    checkpoint(tmp_path / "start")
    shards("answers", tmp_path / "data")
    return tmp_path


def test_the_same_command_goes_on(prepared: Path) -> None:
    for steps in (2, 5):
        result = CliRunner().invoke(app, command(prepared, f"steps={steps}"))
        assert result.exit_code == 0, result.output
    assert len(losses(prepared / "run")) == 5
    config = json.loads((prepared / "run/config.json").read_text())
    assert (config["steps"], config["recipe"]) == (5, "sft")
    assert (prepared / "run/export/tokenizer.json").exists()
    load_model(prepared / "run/export")


@pytest.mark.parametrize(("has", "given", "used"), [(False, [], False), (True, [], True), (False, ["bf16=true"], True)])
def test_products_are_narrow_only_where_the_machine_multiplies_so(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, has: bool, given: list[str], used: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    settings = [setting for setting in QUICK if setting != "bf16=false"]
    options = {"init": str(prepared / "start")}
    train("sft", prepared / "run", [*settings, f"data.source={prepared / 'data'}", "steps=1", *given], **options)
    assert json.loads((prepared / "run/config.json").read_text())["bf16"] is used


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sft", "stpes=3"], "stpes"),
        (["nothing"], "no recipe 'nothing'"),
        (["sft", "--init", "nowhere"], "nowhere"),
        (["sft", "--size", "9B"], "no size '9B'"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["train", *arguments, "--out", str(tmp_path / "run")])
    assert isinstance(result.exception, ViewfinderError)
    assert message in str(result.exception)


def test_vision_pre_training_is_a_chain_of_three_steps(tmp_path: Path) -> None:
    settings = [*QUICK, "steps=1", 'data.kinds={"caption": 1.0}', "seq_len=1024"]
    checkpoint(tmp_path / "start")
    train("pretrain-vision", tmp_path / "run", settings, init=str(tmp_path / "start"), extra=build)
    found = sorted(p.name for p in (tmp_path / "run").iterdir())
    assert found == ["1-vision-contrast", "2-vision-align", "3-vision-end-to-end"]
    before, after = (load_model(tmp_path / "run" / name / "export") for name in found[:2])
    assert torch.equal(before.model.embed_tokens.weight, after.model.embed_tokens.weight)  # the language model stays
    assert not torch.equal(before.visual.merger.mlp[0].weight, after.visual.merger.mlp[0].weight)


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_what_loads_and_goes_on(prepared: Path) -> None:
    """Ten kills at random moments; then the losses are those of a run that was never stopped."""
    arguments = [sys.executable, "-m", "viewfinder", *command(prepared, "steps=40", "save_every=1", "keep=1")]
    moments = random.Random(0)
    for _ in range(10):
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()  # a step was taken: from now on states are being written
            time.sleep(moments.uniform(0, 0.6))
            process.send_signal(signal.SIGKILL)
        for state in saved_states(prepared / "run/states"):
            load_tensors(state, {name: torch.empty(shape) for name, shape in stored_shapes(state).items()})
        if (prepared / "run/export").exists():
            load_model(prepared / "run/export")
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    killed = losses(prepared / "run")
    whole = [*command(prepared, "steps=40"), "--out", str(prepared / "whole")]
    subprocess.run([sys.executable, "-m", "viewfinder", *whole], check=True, stdout=subprocess.DEVNULL)
    assert killed == losses(prepared / "whole")


def test_heads_are_taken_averaged_like_the_weights_of_an_export(tmp_path: Path) -> None:
    before = {"average.heads.one.weight": torch.full((2, 3), 1.0), "weights.heads.one.weight": torch.full((2, 3), 2.0)}
    save_state(tmp_path, 1, before | {"weights.heads.two.weight": torch.full((2, 3), 3.0)}, {})
    heads = {name: torch.nn.Linear(3, 2, bias=False) for name in ("one", "two")}
    read_heads(heads, tmp_path)
    assert [head.weight[0, 0].item() for head in heads.values()] == [1.0, 3.0]


def test_fine_tuning_imports_neither_the_agent_nor_what_taught_the_built_in_model() -> None:
    code = "import sys, viewfinder.recipes.run; print({m.split('.')[1] for m in sys.modules if 'viewfinder.' in m})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'train'" in result.stdout
    assert not {"'agent'", "'tiny'"} & set(result.stdout.strip("{}\n").split(", ")), result.stdout
