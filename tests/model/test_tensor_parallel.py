"""What one of several processes loads of a model."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import random_model, small_config
from tests.peak_memory import PeakMemory
from viewfinder.config import OFFICIAL_SIZES
from viewfinder.errors import SettingsError
from viewfinder.model import load_model, save_pretrained, weights
from viewfinder.model.tensor_parallel import Shard
from viewfinder.processor.devices import DEVICES, roofline


def lead(*_: Any) -> Any:
    return nullcontext()


@pytest.fixture(params=[False, True], ids=["untied", "tied"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    save_pretrained(random_model(small_config(vocab_size=301, tied=request.param)), tmp_path)
    return tmp_path


def test_parts_are_a_whole_and_no_rank_makes_more_than_its_part(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = list(weights.read_tensors(directory))  # from the file, which the system reads where it is looked at
    monkeypatch.setattr(weights, "read_tensors", lambda *_, **__: mapped)
    whole = dict(load_model(directory).named_parameters(remove_duplicate=False))
    size = sum(p.numel() for n, p in whole.items() if n.startswith("model.layers.")) * 8
    found = []
    for rank in range(2):
        with PeakMemory() as memory:
            model = load_model(directory, dtype=torch.float64, shard=Shard(rank, 2, None if rank else lead))
        found.append(dict(model.named_parameters()))
        own = sum(p.numel() * 8 for p in model.parameters())
        largest = max(p.numel() * 8 for p in model.parameters())
        assert own <= memory.peak < own + 2 * largest, "more was made than the part of this rank"
        mine = sum(p.numel() * 8 for n, p in found[-1].items() if n.startswith("model.layers."))
        assert mine < 0.51 * size
    assert {n for n in found[0] if n not in found[1]} >= {"model.embed_tokens.weight", "visual.merger.ln_q.weight"}
    assert "visual.merger.ln_q.weight" not in found[1]
    for name, second in found[1].items():
        first, expected = found[0][name], whole[name].double()
        axis = next((i for i in range(first.ndim) if first.shape[i] != expected.shape[i]), None)
        joined = first if axis is None else torch.cat([first, second], axis)
        assert torch.equal(joined[: len(expected)], expected), name
        assert axis is not None or torch.equal(first, second), name


@pytest.mark.parametrize(("size", "ranks"), [("3B", 2), ("72B", 8)])
def test_the_plan_of_a_device_counts_what_the_first_rank_has(size: str, ranks: int) -> None:
    config = OFFICIAL_SIZES[size]
    sizes = []
    with torch.device("meta"), weights._NothingDrawn():
        for rank in range(2):
            shard = Shard(rank, ranks, None if rank else lead)
            sizes.append(2 * sum(p.numel() for p in shard.build(shard.config(config)).parameters()))
    planned = roofline(config, [], 0, DEVICES["H100"], ranks).held
    assert abs(sizes[0] - planned) < 1e-3 * planned
    assert sizes[1] < sizes[0] - 1.3e9


def test_a_part_is_not_saved_as_a_model(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="without tensor_parallel"):
        save_pretrained(load_model(directory, shard=Shard(1, 2)), tmp_path / "out")
