"""Tower, prefill and decoding on a GPU that is pretended (`tests.pretend_device`); kernels refuse its memory."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.conftest import random_model, small_config
from tests.packed import random_inputs
from tests.pretend_device import PretendDevice, PretendTensor
from viewfinder.engine.engine import EngineCore
from viewfinder.engine.sampler import Sampler
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.messages import Sampling
from viewfinder.model.layers import Linear
from viewfinder.model.native import narrow_matvec, narrow_rows

GRIDS = ([(1, 4, 6)], [], [(2, 4, 4)])


def served(device: str) -> list[list[int]]:
    """Tokens of three requests at once, one of them sampled with a penalty."""
    config = small_config(vocab_size=300)
    model = random_model(config).to(device)
    core = EngineCore(model, EngineConfig(cache_bytes=1 << 20, block_size=4, max_num_batched_tokens=32))
    sequences = []
    for i, grid in enumerate(GRIDS):
        inputs = random_inputs(config, grid, num_text=5 + i, seed=i)
        temperature = float(i == 1)
        sampling = Sampling(max_new_tokens=4, temperature=temperature, top_p=0.9, repetition_penalty=1.1, seed=3)
        sequences.append(core.runner.make_sequence(inputs, Sampler(config, inputs, sampling, (), None, None)))
        core.scheduler.add(sequences[-1])
    while not core.scheduler.is_idle:
        for output in core.step():
            if output.error is not None:
                raise output.error
    return [sequence.token_ids for sequence in sequences]


def test_tower_prefill_and_decode_run_on_the_device_with_the_tokens_of_the_cpu() -> None:
    expected = served("cpu")
    with PretendDevice():
        assert served("cuda") == expected


def test_the_pretended_device_refuses_mixed_devices() -> None:
    with PretendDevice() as device:
        there = torch.ones(3, device="cuda")
        assert isinstance(there, PretendTensor)
        assert (there + torch.tensor(1.0)).device.type == "cuda"
        with pytest.raises(RuntimeError, match="on cuda:0 and on the CPU"):
            there + torch.ones(3)
        assert not device.syncs
        assert float(there.sum()) == 3.0
        assert sum(device.syncs.values()) == 1


@pytest.mark.parametrize("kernel", [narrow_matvec, narrow_rows])
@pytest.mark.parametrize("which", ["weight", "x", "both"])
def test_the_kernels_never_take_the_pointer_of_another_device(kernel: Callable[..., Any], which: str) -> None:
    weight, x = torch.ones(64, 64, dtype=torch.bfloat16), torch.ones(1, 64, dtype=torch.bfloat16)
    x = x[0].float() if kernel is narrow_matvec else x
    for tensors in ((weight.to("meta"), x.to("meta")), (PretendTensor(weight), PretendTensor(x))):
        given = (tensors[0] if which != "x" else weight, tensors[1] if which != "weight" else x)
        assert kernel(*given) is None


def test_a_layer_on_the_meta_device_gives_shapes() -> None:
    layer = Linear(64, 32).to("meta", torch.bfloat16)
    with torch.no_grad():
        assert layer(torch.empty(1, 64, dtype=torch.bfloat16, device="meta")).shape == (1, 32)
