"""Training on a GPU that is pretended: real numbers, device rules enforced (`tests.pretend_device`)."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor

from tests.pretend_device import PretendDevice
from tests.train.making import KIND_LOSS, MADE, contrastive, make_trainer, train_config
from viewfinder.train import distributed
from viewfinder.train.batches import Batch, PreferenceBatch, Step
from viewfinder.train.config import ConfigError, LoraConfig, ParallelConfig, TrainConfig
from viewfinder.train.distributed import ParallelDims, init_distributed
from viewfinder.train.reference import precompute
from viewfinder.train.validation import Validation

GPU = ParallelDims(device="cuda")
RUNS: dict[str, dict[str, Any]] = {
    "answer": {"extra_losses": KIND_LOSS},
    "contrastive": {"objective": "contrastive", "contrastive": contrastive(MADE)},
    "preference": {"objective": "preference"},
    "adapters": {"lora": LoraConfig(rank=2)},
}


def run_of(kind: str, **changes: Any) -> TrainConfig:
    return train_config(MADE, **{"steps": 2, "global_batch_size": 1, **RUNS[kind], **changes})


def first_step(config: TrainConfig, out: Path) -> Step:
    trainer = make_trainer(config, out)
    trainer.close()
    return next(trainer.dataloader(None))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendDevice]:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "pretended")
    with PretendDevice() as device:
        yield device


@pytest.mark.parametrize("kind", RUNS)
def test_a_step_on_a_gpu_has_loss_and_gradients_of_the_cpu(kind: str, tmp_path: Path, gpu: PretendDevice) -> None:
    found = []
    for parallel in (ParallelDims(), GPU):
        trainer = make_trainer(run_of(kind), tmp_path / parallel.device, parallel)
        numbers = trainer.take(next(trainer.dataloader(None)))
        found.append([numbers["loss"], numbers["grad_norm"]])
        assert trainer.learner.model.device.type == parallel.device
        trainer.close()
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_a_run_on_a_gpu_saves_exports_and_goes_on_as_on_the_cpu(tmp_path: Path, gpu: PretendDevice) -> None:
    config = run_of("adapters", log_every=1)
    expected = make_trainer(config, tmp_path / "cpu").run()
    trainer = make_trainer(config, tmp_path / "gpu", GPU)
    trainer.take(next(trainer.dataloader(None)))
    trainer.save()
    trainer.close()
    trainer = make_trainer(config, tmp_path / "gpu", GPU)
    assert trainer.step == 1
    assert trainer.place == "trains on cuda (pretended): matrix products in float32, weights in float32"
    states = [state for optimizer in trainer.optimizers for state in optimizer.state.values()]
    assert {value.device.type for state in states for value in state.values()} == {"cuda"}
    assert trainer.run()["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    weights = [load_file(tmp_path / where / "export" / "model.safetensors") for where in ("cpu", "gpu")]
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-4, atol=1e-6)


def test_the_host_waits_for_the_device_a_few_times_a_step(tmp_path: Path, gpu: PretendDevice) -> None:
    trainer = make_trainer(run_of("answer"), tmp_path, GPU)
    steps = trainer.dataloader(None)
    trainer.take(next(steps))
    gpu.syncs.clear()
    step = next(steps)
    trainer.take(step)
    trainer.close()
    assert sum(gpu.syncs.values()) <= 6 + 12 * len(step.batches), gpu.syncs


@pytest.mark.parametrize("kind", ["answer", "preference"])
def test_validation_and_reference_run_where_the_model_is(kind: str, tmp_path: Path, gpu: PretendDevice) -> None:
    trainer = make_trainer(run_of(kind), tmp_path, GPU)
    batches = list(next(trainer.dataloader(None)).batches)
    assert Validation(batches)(trainer.learner, trainer.journal, 0)["validation/loss"] > 0
    if kind == "preference":
        pairs = [batch for batch in batches if isinstance(batch, PreferenceBatch)]
        table = precompute(trainer.learner, pairs)
        assert table.device.type == "cpu"
        assert table.isfinite().any()
    trainer.close()


def tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors of a batch with the names of their fields."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, dict):
        for one in value.values():
            yield from tensors(one, name)
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors(getattr(value, field.name), field.name)


@pytest.mark.parametrize("kind", ["answer", "contrastive", "preference"])
def test_every_tensor_of_a_batch_is_moved_and_pinned_but_bounds_and_grids(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned: list[int] = []
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: pinned.append(tensor.data_ptr()) or tensor)
    step = first_step(run_of(kind), tmp_path)
    step.pin_memory()
    for batch in step.batches:
        given: Batch = batch.to("meta")
        stays = {name for name, tensor in tensors(given) if tensor.device.type == "cpu"}
        assert stays <= {"cu_seqlens", "grid_thw"}
        assert {tensor.data_ptr() for name, tensor in tensors(batch) if name not in stays} <= {*pinned}


def test_a_run_in_bfloat16_exports_bfloat16(tmp_path: Path) -> None:
    for bf16, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        out = tmp_path / str(dtype)
        make_trainer(run_of("answer", steps=1, bf16=bf16), out).run()
        exported = load_file(out / "export" / "model.safetensors")
        assert {tensor.dtype for tensor in exported.values()} == {dtype}


def test_the_device_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert init_distributed(ParallelConfig(), "auto").device == "cpu"
    with pytest.raises(ConfigError, match="finds no GPU here"):
        init_distributed(ParallelConfig(), "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    found = [init_distributed(ParallelConfig(), wanted).device for wanted in ("auto", "cuda", "cpu")]
    assert found == ["cuda", "cuda", "cpu"]


def test_each_process_takes_the_gpu_of_its_local_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    for name, value in {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", calls.append)
    monkeypatch.setattr(dist, "is_initialized", lambda: False)
    monkeypatch.setattr(dist, "init_process_group", lambda backend, **options: calls.append((backend, options)))
    monkeypatch.setattr(dist, "get_rank", lambda: 3)
    monkeypatch.setattr(distributed, "make_mesh", lambda *mesh: calls.append(mesh))
    assert init_distributed(ParallelConfig()).device == "cuda"
    own = torch.device("cuda", 1)
    assert calls == [own, ("nccl", {"device_id": own}), ("cuda", 4, 1)]
