"""Whole prompts beside transformers, which reads the directory that we saved."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from viewfinder.processor.processor import Processor
from viewfinder.processor.tokenizer import Tokenizer

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def ours() -> Processor:
    return Processor(Tokenizer.official())


@pytest.fixture(scope="module")
def directory(ours: Processor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("official")
    ours.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def tokenizer(directory: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(directory)


@pytest.fixture(scope="module")
def image_processor(directory: Path) -> Any:
    from transformers import AutoImageProcessor

    return AutoImageProcessor.from_pretrained(directory)


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8))


SHAPES = [(333, 77), (640, 480), (30, 500)]
MESSAGES = [
    {"role": "system", "content": "Réponds en français. 请用中文。"},
    {"role": "user", "content": [{"type": "image", "image": picture(*SHAPES[0])}, {"type": "text", "text": "1 + 23?"}]},
    {"role": "assistant", "content": '```json\n[\n\t{"bbox_2d": [1, 22, 333, 44]}\n]\n```'},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "And\n\n"},
            *({"type": "image", "image": picture(*s)} for s in SHAPES[1:]),
        ],
    },
]


def expanded(text: str, counts: list[int]) -> str:
    for count in counts:
        text = text.replace("<|image_pad|>", "<|pad|>" * count, 1)
    return text.replace("<|pad|>", "<|image_pad|>")


@pytest.mark.parametrize("add_vision_id", [False, True])
def test_tokens_and_pixels(ours: Processor, tokenizer: Any, image_processor: Any, add_vision_id: bool):
    text = tokenizer.apply_chat_template(
        MESSAGES, tokenize=False, add_generation_prompt=True, add_vision_id=add_vision_id
    )
    pixels = image_processor(images=[picture(*shape) for shape in SHAPES], return_tensors="pt")
    counts = (pixels["image_grid_thw"].prod(dim=1) // 4).tolist()
    inputs = ours(MESSAGES, add_vision_id=add_vision_id)
    assert inputs.input_ids.tolist() == tokenizer(expanded(text, counts))["input_ids"]
    assert torch.equal(inputs.grid_thw, pixels["image_grid_thw"])
    assert (inputs.pixel_values - pixels["pixel_values"]).abs().max().item() < 1e-5


def test_positions_with_pictures(ours: Processor):
    from transformers import Qwen2_5_VLConfig
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel

    inputs = ours(MESSAGES)
    config = Qwen2_5_VLConfig()
    with torch.device("meta"):
        config.text_config.num_hidden_layers = config.vision_config.depth = 0
        model = Qwen2_5_VLModel(config)
    kinds = (inputs.input_ids == ours.image_token_id).int()[None]
    positions, deltas = model.get_rope_index(
        inputs.input_ids[None], mm_token_type_ids=kinds, image_grid_thw=inputs.grid_thw
    )
    assert positions[:, 0].tolist() == inputs.position_ids.tolist()
    assert deltas.flatten().tolist() == list(inputs.rope_deltas)


@pytest.mark.parametrize(
    "text", ["Rescue the red star", '{"bbox_2d": [1, 22]}', "привет, 12  km\n", "<|im_start|>user\nthe"]
)
def test_a_vocabulary_of_whole_words_is_read_as_saved(tmp_path: Path, text: str):
    from transformers import AutoTokenizer

    spelt = Tokenizer.train(['the red star {"bbox": [привет'] * 9, 400).by_whole_words()
    spelt.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    plain = text.removeprefix("<|im_start|>")
    start = [spelt.token_id("<|im_start|>")] if plain != text else []
    assert theirs.encode(text) == start + spelt.encode(plain)
    assert len(spelt.encode("the red star")) == 3
