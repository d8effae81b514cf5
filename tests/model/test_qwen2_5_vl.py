"""The whole model: sizes, packing with proof, caches, features in their places."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from tests.conftest import random_model, small_config
from tests.packed import random_inputs, unpack
from viewfinder.config import OFFICIAL_SIZES, ModelConfig
from viewfinder.inputs import pack
from viewfinder.model import Chunk, KVCache, Qwen2_5_VL

REQUESTS = [[(1, 4, 6)], [], [(2, 6, 4), (1, 18, 10)]]


@pytest.mark.parametrize(
    ("size", "total", "tower", "merger"),
    [
        ("3B", 3_754_622_976, 631_975_680, 36_708_608),
        ("7B", 8_292_166_656, 631_975_680, 44_574_464),
        ("32B", 33_452_718_336, 636_401_664, 52_440_320),
        ("72B", 73_410_777_344, 636_401_664, 68_172_032),
    ],
)
def test_official_sizes_have_the_official_parameter_counts(size: str, total: int, tower: int, merger: int) -> None:
    with torch.device("meta"):
        model = Qwen2_5_VL(OFFICIAL_SIZES[size])
    in_merger = sum(p.numel() for p in model.visual.merger.parameters())
    assert model.num_parameters() == total
    assert in_merger == merger
    assert sum(p.numel() for p in model.visual.parameters()) - in_merger == tower


def test_packed_equals_separate_logits(model: Qwen2_5_VL, config: ModelConfig) -> None:
    items = [random_inputs(config, grids, seed=i) for i, grids in enumerate(REQUESTS)]
    alone = torch.cat([model(item) for item in items])
    torch.testing.assert_close(model(pack(items)), alone, atol=1e-4, rtol=1e-4)


def test_packed_equals_separate_loss_and_gradients(config: ModelConfig) -> None:
    items = [random_inputs(config, grids, seed=i) for i, grids in enumerate(REQUESTS)]
    gradients = []
    for batches in (items, [pack(items)]):
        model = random_model(config).requires_grad_(True)
        for inputs in batches:
            for part, logits in zip(unpack(inputs), model(inputs).split(inputs.seqlens), strict=True):
                F.cross_entropy(logits[:-1], part.input_ids[1:], reduction="sum").backward(retain_graph=True)
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, expected in gradients[0].items():
        assert expected is not None, f"{name} gets no gradient"
        torch.testing.assert_close(gradients[1][name], expected, atol=2e-3, rtol=2e-3, msg=name)


@pytest.mark.parametrize("table", [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [5, 2, 9, 0, 1, 7, 3, 8, 4, 6]])
def test_pieces_with_a_cache_equal_the_whole(model: Qwen2_5_VL, config: ModelConfig, table: list[int]) -> None:
    """With blocks that follow one another, which are read in place, and with others, which are gathered."""
    whole = random_inputs(config, [(1, 4, 6)], num_text=9)
    expected = model(whole)
    bounds = [0, 20, 21, 24, len(whole.input_ids)]
    assert bounds[-1] <= 40
    cache = KVCache(config.text, num_blocks=10, block_size=4)
    features = model.visual(whole.pixel_values, whole.grid_thw)
    found = []
    for start, end in itertools.pairwise(bounds):
        view = cache.view([Chunk(table, start, end - start)])
        embeddings = model.embed(whole.input_ids, features)[start:end]
        found.append(model.lm_head(model.model(embeddings, whole.position_ids[:, start:end], [end - start], view)))
    torch.testing.assert_close(torch.cat(found), expected, atol=1e-4, rtol=1e-4)


def test_sequences_in_one_cache_equal_each_alone(model: Qwen2_5_VL, config: ModelConfig) -> None:
    """Prompts read in one step, then decoded together: two of similar length as a group, a longer one beside."""
    items = [random_inputs(config, [], num_text=length, seed=length) for length in (5, 7, 33)]
    cache = KVCache(config.text, num_blocks=60, block_size=4)
    free = iter(torch.randperm(60, generator=torch.Generator().manual_seed(0)).tolist())
    tables = [[next(free) for _ in range(-(-len(item.input_ids) // 4))] for item in items]
    cache.clear(range(60))
    found = []
    for start, end in ((0, -1), (-1, None)):
        parts = [item.input_ids[start:end] for item in items]
        chunks = [
            Chunk(table, 0 if start == 0 else len(item.input_ids) - 1, len(part))
            for table, item, part in zip(tables, items, parts, strict=True)
        ]
        positions = torch.cat([item.position_ids[:, start:end] for item in items], dim=1)
        hidden = model.model(model.embed(torch.cat(parts), None), positions, list(map(len, parts)), cache.view(chunks))
        found.append(model.lm_head(hidden))
    expected = [model(item) for item in items]
    torch.testing.assert_close(found[0], torch.cat([logits[:-1] for logits in expected]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[1], torch.cat([logits[-1:] for logits in expected]), atol=1e-4, rtol=1e-4)


def test_logits_at_selects(model: Qwen2_5_VL, config: ModelConfig) -> None:
    inputs = random_inputs(config, [(1, 4, 6)])
    torch.testing.assert_close(model(inputs, logits_at=torch.tensor([3, -1])), model(inputs)[[3, -1]])


@pytest.mark.parametrize("at", [[3, -1], [12], [], [15, 7, 7]])
@pytest.mark.parametrize("joined", [False, True])
def test_the_last_layer_is_computed_for_the_rows_that_are_asked(
    config: ModelConfig, at: list[int], joined: bool
) -> None:
    """Without a cache, and with one: what a later step reads there is of all tokens."""
    model, inputs, asked = random_model(config), random_inputs(config, [(1, 4, 6)]), torch.tensor(at, dtype=torch.int64)
    length = len(inputs.input_ids)
    cache = KVCache(config.text, num_blocks=10, block_size=4)
    step = (torch.tensor([5]), torch.full((3, 1), length))
    seen: dict[str, list[int]] = {
        "self_attn.q_proj": [],
        "self_attn.o_proj": [],
        "mlp.up_proj": [],
        "mlp.down_proj": [],
    }

    def read(logits_at: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        read_before = model(inputs, logits_at=logits_at)
        found = model(inputs, cache.view([Chunk(range(10), 0, length)]), logits_at=logits_at)
        later = model.model(model.embed(step[0], None), step[1], [1], cache.view([Chunk(range(10), length, 1)]))
        return read_before, found, later

    with torch.inference_mode():
        if joined:
            model.join_projections()
        whole, cached, later = read(None)
        for name, counts in seen.items():
            module = model.model.layers[-1].get_submodule(name)
            module.register_forward_pre_hook(lambda _, inputs, counts=counts: counts.append(len(inputs[0])))
        found = read(asked)
    for one, other in zip(found, (whole[asked], cached[asked], later), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    cached_rows = [len(at)] if at and not joined else []  # joined layers call no module; to nothing, nothing attends
    last = [] if joined else [1]
    assert seen["self_attn.q_proj"] == [length, *(length for _ in cached_rows), *last]
    assert seen["self_attn.o_proj"] == [len(at), *cached_rows, *last]
    assert seen["mlp.up_proj"] == seen["mlp.down_proj"] == ([len(at)] if joined else [len(at), len(at), 1])


def test_rows_that_are_asked_have_the_gradients_of_all(config: ModelConfig) -> None:
    inputs, gradients = random_inputs(config, [(1, 4, 6)]), []
    for logits_at in (None, torch.tensor([3, 9])):
        model = random_model(config).requires_grad_(True)
        logits = model(inputs, logits_at=logits_at)
        (logits[[3, 9]] if logits_at is None else logits).square().sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], expected, atol=1e-4, rtol=1e-3, msg=name)


def test_features_land_in_order_and_only_at_their_places(model: Qwen2_5_VL, config: ModelConfig) -> None:
    inputs = random_inputs(config, [(1, 2, 4), (2, 2, 2)])
    features = torch.arange(4.0)[:, None].expand(4, 64) + 1000
    embedded = model.embed(inputs.input_ids, features)
    is_medium = torch.isin(inputs.input_ids, torch.tensor([config.image_token_id, config.video_token_id]))
    assert embedded[is_medium][:, 0].tolist() == [1000, 1001, 1002, 1003]
    assert (embedded[~is_medium] < 100).all()


def test_too_few_features_say_what_to_do(model: Qwen2_5_VL, config: ModelConfig) -> None:
    inputs = random_inputs(config, [(1, 4, 6)])
    with pytest.raises(ValueError, match=r"6 media tokens .* 5 features"):
        model.embed(inputs.input_ids, torch.zeros(5, 64))


def test_tied_embeddings_are_one_parameter() -> None:
    model = Qwen2_5_VL(small_config(tied=True))
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.num_parameters() == Qwen2_5_VL(small_config()).num_parameters() - 300 * 64


def test_narrow_weights_with_wide_activations_are_close(model: Qwen2_5_VL, config: ModelConfig) -> None:
    inputs = random_inputs(config, [(1, 4, 6)])
    narrow = random_model(config).to(torch.bfloat16)
    expected = random_model(config).to(torch.bfloat16).float()(inputs)
    found = narrow(inputs).float()
    assert (found - expected).abs().max() < 0.1 * expected.abs().max()
