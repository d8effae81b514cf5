"""Tower, prefill and decoding on a GPU that is pretended (`tests.pretend_device`); kernels refuse its memory."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from tests.conftest import random_model, small_config
from tests.packed import random_inputs
from tests.pretend_device import PretendDevice, PretendTensor
from viewfinder.engine.engine import EngineCore, generate
from viewfinder.engine.model_runner import free_bytes
from viewfinder.engine.sampler import Sampler
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.messages import Sampling
from viewfinder.model import Qwen2_5_VL
from viewfinder.model.layers import Linear, few_rows
from viewfinder.model.lora import adapted_layers, add_adapters, merge_adapters
from viewfinder.model.native import narrow_matvec

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


@pytest.mark.parametrize("kernel", [narrow_matvec, few_rows])
@pytest.mark.parametrize("which", ["weight", "x", "both"])
def test_the_kernels_never_take_the_pointer_of_another_device(kernel: Callable[..., Any], which: str) -> None:
    weight, x = torch.ones(64, 128, dtype=torch.bfloat16), torch.ones(1, 128, dtype=torch.bfloat16)
    x = x[0].float() if kernel is narrow_matvec else x
    for tensors in ((weight.to("meta"), x.to("meta")), (PretendTensor(weight), PretendTensor(x))):
        given = [tensors[0] if which != "x" else weight, tensors[1] if which != "weight" else x]
        with torch.no_grad():
            assert kernel(*(given if kernel is narrow_matvec else reversed(given))) is None


def test_a_layer_on_the_meta_device_gives_shapes() -> None:
    layer = Linear(64, 32).to("meta", torch.bfloat16)
    with torch.no_grad():
        assert layer(torch.empty(1, 64, dtype=torch.bfloat16, device="meta")).shape == (1, 32)


@pytest.mark.parametrize("requests", [1, 5])
def test_a_step_of_decoding_stays_within_its_budget(requests: int) -> None:
    """14 launches a layer and one wait a step, whatever is sampled; what one layer more adds is what a layer takes."""

    def counts(layers: int) -> tuple[int, int]:
        config = small_config(vocab_size=300)
        config = config.model_copy(update={"text": config.text.model_copy(update={"num_hidden_layers": layers})})
        model = random_model(config).to("cuda")
        model.join_projections()
        core = EngineCore(model, EngineConfig(cache_bytes=1 << 20, block_size=4))
        for i in range(requests):
            inputs = random_inputs(config, [], num_text=6, seed=i)
            sampling = Sampling(max_new_tokens=8, temperature=i % 2, top_p=0.9, repetition_penalty=1.1, seed=i)
            core.scheduler.add(core.runner.make_sequence(inputs, Sampler(config, inputs, sampling, ())))
        core.step(), core.step()
        device.syncs.clear(), device.launches.clear()
        outputs = core.step()
        assert [output.error for output in outputs] == [None] * requests
        return sum(device.launches.values()), sum(device.syncs.values())

    with PretendDevice() as device:
        (fewer, _), (more, syncs) = counts(3), counts(4)
    assert 8 <= more - fewer <= 14
    assert 1 <= syncs <= 3


def test_joined_projections_change_no_token_no_name_and_no_weight() -> None:
    config = small_config(vocab_size=300)
    plain, joined = random_model(config), random_model(config)
    joined.join_projections()
    assert [(n, p.shape) for n, p in joined.named_parameters()] == [(n, p.shape) for n, p in plain.named_parameters()]
    torch.testing.assert_close(joined.state_dict(), plain.state_dict(), atol=0, rtol=0)
    inputs = random_inputs(config, [(1, 4, 6)], num_text=5)

    def tokens(model: Qwen2_5_VL) -> list[int]:
        return [token.id for token in generate(model, inputs, Sampling(max_new_tokens=6), eos_token_ids=())]

    assert tokens(joined) == tokens(plain)
    for model in (plain, joined):  # an adapter goes on one of the joined layers
        add_adapters(model, 2, 4.0, ["k_proj"])
        with torch.no_grad():
            for layer in adapted_layers(model).values():
                layer.lora_A.fill_(0.3), layer.lora_B.fill_(0.2)
    assert tokens(joined) == tokens(plain) != tokens(random_model(config))
    merge_adapters(joined)
    assert all(layer.is_current for layer in joined.model.fused or [])
    assert tokens(joined) == tokens(plain)


def test_the_cache_takes_what_the_largest_step_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 2 MB free, 90 % less 300 kB of the step and 100 kB for features."""
    numbers = {"memory_allocated": 50_000, "max_memory_allocated": 350_000, "mem_get_info": (2_000_000, 4_000_000)}
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats", *numbers):
        monkeypatch.setattr(torch.cuda, name, partial(lambda value, *_: value, numbers.get(name)))
    limits = {"max_num_seqs": 4, "max_num_patches": 64, "max_num_batched_tokens": 32, "encoder_cache_bytes": 100_000}
    wanted = EngineConfig.for_device("cuda", **limits, max_waiting=None)
    assert (wanted.cache_bytes, wanted.block_size, wanted.max_waiting) == (None, 256, 1024)
    config = small_config(vocab_size=300)
    with PretendDevice() as device:
        model = random_model(config).to("cuda")
        assert free_bytes(model, wanted) == 1_400_000
        assert device.launches["scaled_dot_product_attention"] >= config.vision.depth + config.text.num_hidden_layers
    assert EngineConfig.for_device("cpu", encode_beside=False) == EngineConfig()


def test_a_model_with_other_layers_stays_as_it_is() -> None:
    model = random_model(small_config(vocab_size=300))
    model.model.layers[1].mlp.up_proj = nn.Identity()  # as a layer of quantized weights is
    before = [id(p) for p in model.parameters()]
    model.join_projections()
    assert model.model.fused is None
    assert [id(p) for p in model.parameters()] == before
