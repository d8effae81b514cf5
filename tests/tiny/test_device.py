"""The built-in model's losses on a GPU that is pretended: device rules enforced (`tests.pretend_device`)."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.pretend_device import PretendDevice
from tests.tiny.making import learner, stream_batch
from viewfinder.tiny.run import NumberedLoader
from viewfinder.train.distributed import ParallelDims
from viewfinder.train.trainer import Trainer

LOSSES = {"token_labels": 0.2, "attention": 0.5}


def test_a_run_goes_from_the_cpu_to_a_gpu_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "pretended")
    changes = {"global_batch_size": 1, "peak_flops": 1e12, "optimizer": {"matrices": "adamw", "warmup": 0}}
    with PretendDevice():
        for where, devices in {"cpu": ("cpu", "cpu", "cpu"), "gpu": ("cpu", "cuda", "cpu")}.items():
            for steps, device in enumerate(devices, 1):
                made = learner(LOSSES, steps=steps, **changes)
                loader = NumberedLoader(stream_batch)
                Trainer(made.config, made, loader, tmp_path / where, parallel=ParallelDims(device=device)).run()
    weights = [load_file(tmp_path / where / "export" / "model.safetensors") for where in ("cpu", "gpu")]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-3, atol=2e-4)  # a wrong step changes 1e-2
