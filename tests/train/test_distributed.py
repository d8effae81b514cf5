"""Two processes that share weights and batches learn what one learns."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.train.making import MADE, contrastive, fresh_model, losses, rows, train_config
from tests.train.on_ranks import config_of, contrast_gradients, run
from viewfinder.train.checkpoint import saved_states
from viewfinder.train.collators import AnswerCollator
from viewfinder.train.config import ConfigError
from viewfinder.train.dataloader import PackedLoader
from viewfinder.train.distributed import ParallelDims, make_mesh, shard
from viewfinder.train.estimate import fake_ranks
from viewfinder.train.learner import Learner

OTHERS = ["extra", "frozen", "preference", "adapters", "recompute", "tensor"]


def two_ranks(out: Path, *jobs: str) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    base = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.train.on_ranks", str(out), *jobs]
    started = [
        subprocess.Popen(command, env={**base, "RANK": str(r), "LOCAL_RANK": str(r)}, stderr=subprocess.PIPE, text=True)
        for r in range(2)
    ]
    try:
        errors = [process.communicate(timeout=300)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [p.returncode for p in started] == [0, 0], "\n".join(errors)[-4000:]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two ranks made, each job from the beginning but `goes_on`, which one process began."""
    out = tmp_path_factory.mktemp("ranks")
    run("answer", out / "alone", ParallelDims())
    begun = out / "goes_on"
    shutil.copytree(out / "alone/answer", begun)
    shutil.rmtree(saved_states(begun / "states")[-1])
    two_ranks(out, "answer", "goes_on")
    return out


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("others")
    two_ranks(out, "contrast", *OTHERS)
    return out


def assert_close(found: list[float], wanted: list[float]) -> None:
    assert len(found) == len(wanted)
    assert max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < 1e-4


def test_twenty_steps_as_in_one_process_with_a_rank_that_sees_nothing(together: Path) -> None:
    loader = PackedLoader(rows, AnswerCollator(MADE, config_of("answer").model, 256), 256, 2)
    steps = [step for _, step in zip(range(20), loader(None), strict=False)]
    seen = {tuple(pack.inputs.pixel_values is not None for pack in step.batches) for step in steps}
    assert any(any(one) and not all(one) for one in seen), "no step has one pack with and one without media"
    assert_close(losses(together / "answer"), losses(together / "alone/answer"))


def test_one_process_goes_on_from_two_and_two_from_one(together: Path) -> None:
    alone = losses(together / "alone/answer")
    assert_close(losses(together / "goes_on"), alone)
    shutil.copytree(together / "answer", together / "back/answer")
    shutil.rmtree(saved_states(together / "back/answer/states")[-1])
    run("answer", together / "back", ParallelDims())
    assert_close(losses(together / "back/answer"), alone)


@pytest.mark.slow
@pytest.mark.parametrize("job", OTHERS)
def test_as_one_process(others: Path, tmp_path: Path, job: str) -> None:
    run(job, tmp_path, ParallelDims())
    assert_close(losses(others / job), losses(tmp_path / job))
    for name in ("export/model.safetensors", *(["adapter/adapter_model.safetensors"] if job == "adapters" else [])):
        mine, theirs = load_file(tmp_path / job / name), load_file(others / job / name)
        assert mine.keys() == theirs.keys()
        for key in mine:
            # a key bias moves all scores of a query nearly alike: its gradient is rounding, which AdamW makes a step of
            atol = 1e-3 if key.endswith("k_proj.bias") else 1e-4
            torch.testing.assert_close(theirs[key], mine[key], atol=atol, rtol=1e-3, msg=key)


@pytest.mark.slow
def test_contrast_is_over_the_pairs_of_all_ranks(others: Path, tmp_path: Path) -> None:
    found = torch.load(others / "contrast.pt")
    wanted = contrast_gradients(tmp_path, ParallelDims())
    assert found.keys() == wanted.keys()
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parallel": {"tensor": 3}}, "2 key heads"),
        ({"parallel": {"tensor": 2}, "lora": {}}, "adapters"),
        (
            {"parallel": {"tensor": 2}, "objective": "contrastive", "contrastive": contrastive(MADE)},
            "no language model",
        ),
    ],
)
def test_what_tensor_ranks_cannot_share_is_refused(changes: dict[str, Any], message: str) -> None:
    config = train_config(MADE, **changes)
    with fake_ranks(6), pytest.raises(ConfigError, match=message):
        shard(Learner(config, fresh_model(config)), config, make_mesh("cpu", 6, config.parallel.tensor))
