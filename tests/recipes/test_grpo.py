"""`train grpo`: it learns, goes on as if never stopped, and loses nothing to rewards that fail."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.recipes.making import QUICK, bare, checkpoint, start
from tests.train.making import sample
from viewfinder.data.shards import write_shards
from viewfinder.errors import DataError
from viewfinder.model.weights import load_model
from viewfinder.recipes.run import build_trainer, resolve
from viewfinder.train.config import ConfigError
from viewfinder.train.policy import AgreementError
from viewfinder.train.trainer import Trainer

REWARD = """
def reward(answer, about):
    return answer.count("a") - 0.01 * len(answer)
"""
GRPO = ["grpo.prompts=2", "grpo.group=4", "grpo.max_new_tokens=6", "optimizer.adamw_lr=1e-2", "optimizer.warmup=0"]


def prepare(folder: Path, reward: str = REWARD) -> list[str]:
    """Rows of all media, a user's reward, and the settings of a short run on them."""
    write_shards([bare(sample(("text", "image", "images", "video")[i % 4], i)) for i in range(12)], folder / "data")
    (folder / "mine.py").write_text(reward)
    rewards = json.dumps({f"{folder / 'mine.py'}:reward": 1.0})
    return [*QUICK, *GRPO, f"data.source={folder / 'data'}", f"grpo.rewards={rewards}"]


def trainer(out: Path, settings: Sequence[str]) -> Trainer:
    begin = start()
    return build_trainer(begin, resolve(begin, "grpo", list(settings)), out)


def figures(out: Path) -> list[dict[str, float]]:
    """What is the same in the identical run: all but times."""
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    timed = ("seconds", "tokens_per_second", "mfu")
    return [{name: value for name, value in row.items() if not name.startswith(timed)} for row in rows]


@pytest.mark.slow
def test_what_is_rewarded_becomes_more(tmp_path: Path) -> None:
    trainer(tmp_path / "run", [*prepare(tmp_path), "steps=8", "grpo.group=8"]).run()
    rows = figures(tmp_path / "run")
    assert sum(row["reward"] for row in rows[-2:]) > sum(row["reward"] for row in rows[:2])
    assert all(row["log_ratio/max"] < 1e-4 for row in rows)
    assert {"truncated", "answer_tokens", "skipped_groups", "unscored", "log_ratio/mean"} <= rows[0].keys()
    kinds = {name for row in rows for name in row if name.startswith("log_ratio/")} - {
        "log_ratio/mean",
        "log_ratio/max",
    }
    assert kinds == {f"log_ratio/{kind}" for kind in ("text", "picture", "several", "clip")}
    load_model(tmp_path / "run/export")
    assert "skipped_groups" in (tmp_path / "run/report.html").read_text()


@pytest.mark.parametrize(
    "settings",
    [
        ["grpo.iterations=2", "grpo.variant=dapo", "grpo.top_k=20"],
        pytest.param([], marks=pytest.mark.slow),
        pytest.param(["grpo.delay=1", "grpo.iterations=2"], marks=pytest.mark.slow),
        pytest.param(["lora.rank=2", "grpo.kl=0.1", "grpo.variant=dr_grpo"], marks=pytest.mark.slow),
    ],
    ids=["dapo twice", "grpo", "delayed", "lora with kl"],
)
def test_a_stopped_run_goes_on_as_if_it_had_not(tmp_path: Path, settings: list[str]) -> None:
    """Stopped after step 3, in the midst of two updates from the same answers."""
    common = [*prepare(tmp_path), *settings, "optimizer.schedule=linear", "optimizer.cooldown=0.0", "save_every=1"]
    trainer(tmp_path / "whole", [*common, "steps=6"]).run()
    for steps in (3, 6):
        trainer(tmp_path / "run", [*common, f"steps={steps}"]).run()
    assert figures(tmp_path / "run") == figures(tmp_path / "whole")
    one, other = (load_model(tmp_path / name / "export").state_dict() for name in ("run", "whole"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_the_reference_holds_the_policy_back(tmp_path: Path) -> None:
    settings = prepare(tmp_path)
    moved = {}
    for kl in (0.0, 5.0):
        made = trainer(tmp_path / f"run-{kl}", [*settings, f"grpo.kl={kl}", "steps=5", "grpo.iterations=5"])
        before = [p.detach().clone() for p in made.learner.model.parameters()]
        made.run()
        moved[kl] = sum(
            float((a - b).detach().norm()) for a, b in zip(made.learner.model.parameters(), before, strict=True)
        )
    assert figures(tmp_path / "run-5.0")[-1]["kl"] > 0
    assert moved[5.0] != moved[0.0]
    with pytest.raises(ConfigError, match="same vision tower"):
        trainer(tmp_path / "tower", [*settings, "grpo.kl=0.1", "lr_scale.tower=1"])


FAILING = """
def reward(answer, about):
    if len(answer) % 3 == 0:
        raise ValueError("no such answer")
    return float("nan") if len(answer) % 3 == 1 else float(len(answer))
"""


def test_rewards_that_fail_lose_no_run(tmp_path: Path) -> None:
    trainer(tmp_path / "run", [*prepare(tmp_path, FAILING), "steps=4", "grpo.group=8"]).run()
    rows = figures(tmp_path / "run")
    assert len(rows) == 4
    assert 0 < sum(row["unscored"] for row in rows) < 4
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "run/quarantine.jsonl").read_text().splitlines()]
    assert any("ValueError: no such answer" in reason for reason in reasons)
    assert any("nan" in reason for reason in reasons)


def test_a_reward_that_fails_for_every_answer_stops_the_run_at_once(tmp_path: Path) -> None:
    made = trainer(tmp_path / "run", [*prepare(tmp_path, "def reward(a, b): raise KeyError('mistyped')"), "steps=4"])
    with pytest.raises(DataError, match=r"no answer of the first step has a reward .*KeyError: 'mistyped'"):
        made.run()
    assert made.step == 0


@pytest.mark.slow
def test_groups_without_differences_are_skipped_and_end_the_run_at_last(tmp_path: Path) -> None:
    made = trainer(tmp_path / "run", [*prepare(tmp_path, "def reward(a, b): return 1.0"), "steps=2"])
    before = made.learner.model.model.layers[0].mlp.up_proj.weight.detach().clone()
    made.run()
    assert [row["skipped_groups"] for row in figures(tmp_path / "run")] == [1.0, 1.0]
    assert torch.equal(before, made.learner.model.model.layers[0].mlp.up_proj.weight)


def test_a_gap_between_rollouts_and_training_stops_the_run(tmp_path: Path) -> None:
    made = trainer(tmp_path / "run", [*prepare(tmp_path), "steps=2"])
    made.dataloader.writer = _Liar(made.dataloader.writer)  # type: ignore[attr-defined]
    with pytest.raises(AgreementError, match="differ by"):
        made.run()


class _Liar:
    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def write(self, model: Any, prompts: Any) -> Any:
        groups = self.writer.write(model, prompts)
        return [[replace(one, log_probs=tuple(p - 2 for p in one.log_probs)) for one in group] for group in groups]


@pytest.mark.slow
def test_kills_leave_the_identical_run(tmp_path: Path) -> None:
    checkpoint(tmp_path / "start")
    settings = [*prepare(tmp_path), "steps=30", "save_every=1", "keep=1", "grpo.iterations=2", "grpo.delay=1"]
    arguments = [sys.executable, "-m", "viewfinder", "train", "grpo", "--init", str(tmp_path / "start"), *settings]
    for _ in range(4):
        with subprocess.Popen(
            [*arguments, "--out", str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.4)
            process.send_signal(signal.SIGKILL)
    for out in ("run", "whole"):
        subprocess.run([*arguments, "--out", str(tmp_path / out)], check=True, stdout=subprocess.DEVNULL)
    assert figures(tmp_path / "run") == figures(tmp_path / "whole")
