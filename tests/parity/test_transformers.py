"""Against transformers with the same random weights: features, logits, greedy tokens, and its loader on our files.

For text after a video the official position algorithm is the truth, not transformers 5.x, so clips here are
compared on features and on logits with our positions handed to both.
"""

from pathlib import Path

import pytest
import torch
import transformers

from tests.packed import random_inputs
from viewfinder.config import ModelConfig, TextConfig, VisionConfig
from viewfinder.engine.engine import generate
from viewfinder.messages import Sampling
from viewfinder.model import Qwen2_5_VL, load_model, save_pretrained

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

ODD_SHAPES = [(1, 16, 16), (1, 18, 18), (1, 4, 50), (1, 10, 6)]


def _config(heads: int, kv_heads: int, tied: bool) -> ModelConfig:
    """Head layouts and head sizes of the 3B (16 over 2, tied) and 7B (28 over 4) models, fewer and thinner layers."""
    hidden = heads * 128
    return ModelConfig(
        vision=VisionConfig(
            depth=4,
            hidden_size=160,
            num_heads=2,
            intermediate_size=342,
            out_hidden_size=hidden,
            fullatt_block_indexes=(1, 3),
        ),
        text=TextConfig(
            vocab_size=2048,
            hidden_size=hidden,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            tie_word_embeddings=tied,
        ),
        image_token_id=2040,
        video_token_id=2041,
        vision_start_token_id=2042,
        vision_end_token_id=2043,
        bos_token_id=2044,
        eos_token_id=2045,
    )


@pytest.fixture(scope="module", params=[(16, 2, True), (28, 4, False)], ids=["like-3B", "like-7B"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, Qwen2_5_VL, Path]:
    """transformers' model, ours loaded from its files, and the directory."""
    directory = tmp_path_factory.mktemp("reference")
    config = _config(*request.param)
    torch.manual_seed(0)
    reference = transformers.Qwen2_5_VLForConditionalGeneration(
        transformers.Qwen2_5_VLConfig(**config.to_dict())
    ).eval()
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    reference.save_pretrained(directory, max_shard_size="40MB")
    return reference, load_model(directory), directory


def _reference_logits(reference, inputs, with_positions: bool):
    kinds = {"image": inputs.image_grid_thw, "video": inputs.video_grid_thw}
    arguments = {"image_grid_thw": kinds["image"], "video_grid_thw": kinds["video"]}
    key = "pixel_values" if kinds["image"] is not None else "pixel_values_videos"
    if inputs.pixel_values is not None:
        arguments[key] = inputs.pixel_values
    types = torch.zeros_like(inputs.input_ids)
    types[inputs.input_ids == 2040] = 1
    types[inputs.input_ids == 2041] = 2
    if with_positions:
        arguments["position_ids"] = inputs.position_ids[:, None]
    with torch.inference_mode():
        return reference(input_ids=inputs.input_ids[None], mm_token_type_ids=types[None], **arguments).logits[0]


def test_vision_features(pair) -> None:
    reference, model, _ = pair
    grid = torch.tensor([*ODD_SHAPES, (2, 10, 20)])
    patches = torch.randn(int(grid.prod(1).sum()), 1176, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = reference.model.visual(patches, grid_thw=grid).pooler_output
        found = model.visual(patches, grid)
    assert (found - expected).abs().max() < 1e-4


@pytest.mark.parametrize("grids", [[], ODD_SHAPES[:1], ODD_SHAPES])
def test_logits_with_their_positions(pair, grids) -> None:
    reference, model, _ = pair
    inputs = random_inputs(model.config, grids)
    expected = _reference_logits(reference, inputs, with_positions=False)
    assert (model(inputs) - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max()))


def test_logits_of_a_clip_with_our_positions(pair) -> None:
    reference, model, _ = pair
    inputs = random_inputs(model.config, [(3, 8, 10)])
    expected = _reference_logits(reference, inputs, with_positions=True)
    assert (model(inputs) - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max()))


def test_64_greedy_tokens(pair) -> None:
    reference, model, _ = pair
    inputs = random_inputs(model.config, ODD_SHAPES[:2])
    types = torch.zeros_like(inputs.input_ids)
    types[inputs.input_ids == 2040] = 1
    expected = reference.generate(
        input_ids=inputs.input_ids[None],
        attention_mask=torch.ones_like(inputs.input_ids)[None],
        mm_token_type_ids=types[None],
        pixel_values=inputs.pixel_values,
        image_grid_thw=inputs.image_grid_thw,
        max_new_tokens=64,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )[0, len(inputs.input_ids) :]
    found = [t.id for t in generate(model, inputs, Sampling(max_new_tokens=64), eos_token_ids=[])]
    assert found == expected.tolist()


def test_our_directory_loads_there_with_equal_logits(pair, tmp_path: Path) -> None:
    reference, model, _ = pair
    save_pretrained(model, tmp_path, max_shard_bytes=20_000_000)
    again = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(tmp_path).eval()
    inputs = random_inputs(model.config, ODD_SHAPES[:2])
    expected = _reference_logits(reference, inputs, with_positions=False)
    assert torch.equal(_reference_logits(again, inputs, with_positions=False), expected)
