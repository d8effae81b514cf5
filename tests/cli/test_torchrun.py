"""The `torchrun` lines of the documentation, on two processes of this machine (gloo)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LINE = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "viewfinder", "train", "sft"]


def run(folder: Path, *words: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [*LINE, "--init", "tiny", "--out", "run", "device=cpu", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    return done.stdout + done.stderr


@pytest.mark.slow
def test_two_processes_train_at_the_first_try_and_speak_once(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "How much is 2 and 2?"}, {"from": "gpt", "value": "4"}]
    (tmp_path / "rows.json").write_text(json.dumps([{"conversations": turns}] * 64))
    told = run(tmp_path, "--data", "rows.json", "steps=2", "seq_len=128", "global_batch_size=2")
    assert (tmp_path / "run" / "export" / "model.safetensors").is_file(), told
    assert told.count("trains on cpu") == told.count("weights in run/export") == 1


@pytest.mark.slow
def test_an_error_is_told_once(tmp_path: Path) -> None:
    told = run(tmp_path, "--data", "nothing.json", "steps=2")
    assert told.count("viewfinder: nothing.json is no file") == 1, told
