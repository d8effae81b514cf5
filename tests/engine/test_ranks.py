"""A model that two processes share gives the tokens of one, and ends as one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import random_model, small_config
from tests.packed import random_inputs
from viewfinder.chat import load
from viewfinder.config import ModelConfig
from viewfinder.engine import ranks
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.device_errors import is_device_lost
from viewfinder.engine.engine import EngineCore
from viewfinder.engine.sampler import Sampler
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.errors import RanksError, SettingsError
from viewfinder.messages import Sampling, user
from viewfinder.model import Qwen2_5_VL, load_model, save_pretrained

ROOT = Path(__file__).parents[2]
GRIDS = ([(1, 4, 6)], [], [(2, 4, 4)])


@pytest.fixture(autouse=True)
def _import_this_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def saved(folder: Path, config: ModelConfig) -> Path:
    save_pretrained(random_model(config).double(), folder)
    return folder


def tokens(model: Qwen2_5_VL) -> list[list[int]]:
    """Of three requests at once, with pictures, a shared prefix, chance and a penalty; double precision."""
    core = EngineCore(model, EngineConfig(cache_bytes=1 << 20, block_size=4, max_num_batched_tokens=32))
    sequences = []
    for i, grid in enumerate((*GRIDS, GRIDS[0])):
        inputs = random_inputs(model.config, grid, num_text=5 + i % 3, seed=i % 3)
        sampling = Sampling(max_new_tokens=6, temperature=float(i == 1), top_p=0.9, repetition_penalty=1.1, seed=3)
        sampler = Sampler(model.config, inputs, sampling, (), None, None)
        sequences.append(core.runner.make_sequence(inputs, sampler))
        core.scheduler.add(sequences[-1])
    while not core.scheduler.is_idle:
        for output in core.step():
            if output.error is not None:
                raise output.error
    return [sequence.token_ids for sequence in sequences]


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Qwen2_5_VL]:
    """A vocabulary of 301 tokens, which two do not share equally, and an output projection of its own."""
    directory = saved(tmp_path, small_config(vocab_size=301))
    model = ranks.load_on_ranks(directory, 2, device="cpu")
    yield model
    model.model.lead.__self__.close()  # type: ignore[union-attr, attr-defined]


def test_two_processes_give_the_tokens_of_one_until_one_is_lost(shared: Qwen2_5_VL, tmp_path: Path) -> None:
    alone = load_model(tmp_path)
    assert tokens(shared) == tokens(alone)
    inputs = random_inputs(alone.config, [(1, 4, 6)])  # without a cache, as the reference implementation asks
    torch.testing.assert_close(shared(inputs), alone(inputs))

    others = shared.model.lead.__self__._others  # type: ignore[union-attr, attr-defined]
    others[1].kill()
    for _ in range(2):
        with pytest.raises(RanksError, match=r"rank 1 of 2 ended .*start again") as told:
            tokens(shared)
        assert is_device_lost(told.value), "a server would restart its engine for ever"


@pytest.mark.slow
def test_joined_projections_of_each_process_sum_to_the_tokens_of_one(tmp_path: Path) -> None:
    directory = saved(tmp_path, small_config(vocab_size=302))
    model = ranks.load_on_ranks(directory, 2, device="cpu", joined=True)
    assert model.model.fused
    assert tokens(model) == tokens(load_model(directory))
    model.model.lead.__self__.close()  # type: ignore[union-attr, attr-defined]


@pytest.mark.slow
def test_a_server_of_the_built_in_model_says_the_same_on_two_processes() -> None:
    told: list[list[str]] = []
    for size in (1, 2):
        viewfinder: Any = load("tiny", dtype="float32", tensor_parallel=size)
        serving = AsyncEngine(viewfinder.model)
        serving.start()
        chats = [serving.chat_for(tenant) for tenant in ("a", "b")]
        sampling = Sampling(max_new_tokens=12)
        told.append([chat.chat([user("Hello")], sampling=sampling, schema={"type": "object"}).text for chat in chats])
        assert told[0][0].startswith("{")
        serving.stop()
    assert told[0] == told[1]


@pytest.mark.slow
def test_a_part_that_cannot_be_loaded_is_told_once_and_nothing_stays(tmp_path: Path) -> None:
    config = small_config(vocab_size=300)
    broken = random_model(config)
    broken.lm_head.weight[299] = float("nan")  # of the second process
    save_pretrained(broken, tmp_path)
    for _ in range(2):
        with pytest.raises(RanksError, match=r"rank 1 of 2 ended .*lm_head.weight holds NaN"):
            ranks.load_on_ranks(tmp_path, 2, device="cpu")


@pytest.mark.slow
def test_the_others_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    saved(tmp_path, small_config())
    script = (
        "import sys, time; from pathlib import Path; from viewfinder.engine.ranks import load_on_ranks\n"
        "model = load_on_ranks(Path(sys.argv[1]), 2, device='cpu')\n"
        "print(model.model.lead.__self__._others[1].pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        other = int(first.stdout.readline())
        os.kill(first.pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while is_running(other):
            assert time.monotonic() < deadline, "rank 1 outlives rank 0"
            time.sleep(0.1)


def is_running(pid: int) -> bool:
    """Whether a process that is nobody's child any more still works; one that init has not collected is a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"size": 4}, "num_key_value_heads 2 .*choose one of 1, 2$"),
        ({"num_key_value_heads": 4, "intermediate_size": 95}, {"size": 2}, "intermediate_size 95 .*one of 1$"),
        ({}, {"size": 2, "dtype": torch.int8}, "few bits.*on one device"),
        ({}, {"size": 64, "device": "cuda"}, "64 and PyTorch finds 0 GPUs"),
    ],
)
def test_what_cannot_be_shared_is_refused(
    changes: dict[str, int], options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(ranks.Ranks, "_command", [sys.executable, "-c", "input()"])  # no others are needed
    config = small_config()
    text = config.text.model_copy(update=changes)
    save_pretrained(random_model(config.model_copy(update={"text": text})), tmp_path)
    with pytest.raises(SettingsError, match=message):
        ranks.load_on_ranks(tmp_path, **{"device": "cpu", **options})
