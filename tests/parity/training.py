"""One small checkpoint, conversations and pairs, as transformers and TRL take them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoImageProcessor, AutoTokenizer, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

from viewfinder.inputs import ModelInputs
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import save_pretrained
from viewfinder.processor.processor import Processor


class PicturesOnly(Qwen2_5_VLProcessor):
    """Their processor without the one for clips, which needs torchvision."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> type:
        return type(argument)


def write_checkpoint(model: Qwen2_5_VL, processor: Processor, directory: Path) -> None:
    save_pretrained(model, directory)
    processor.save_pretrained(directory)


def their_model(directory: Path) -> Any:
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(directory, dtype=torch.float32)


def their_processor(directory: Path) -> PicturesOnly:
    tokenizer = AutoTokenizer.from_pretrained(directory)
    images = AutoImageProcessor.from_pretrained(directory)
    return PicturesOnly(images, tokenizer, object(), chat_template=tokenizer.chat_template)


def their_name(name: str) -> str:
    """Our parameter's name there."""
    if name.startswith("visual."):
        return f"model.{name}"
    return name.replace("model.", "model.language_model.", 1) if name.startswith("model.") else name


def padded(items: Sequence[ModelInputs], image_token_id: int) -> dict[str, Tensor]:
    """A batch padded to the right, as their collators make it."""
    longest = max(len(item.input_ids) for item in items)
    batch: dict[str, list[Tensor]] = {"input_ids": [], "labels": [], "attention_mask": []}
    for item in items:
        assert item.labels is not None
        rest = longest - len(item.input_ids)
        for name, values, fill in (
            ("input_ids", item.input_ids, 0),
            ("labels", item.labels, -100),
            ("attention_mask", torch.ones_like(item.input_ids), 0),
        ):
            batch[name].append(torch.cat([values, values.new_full((rest,), fill)]))
    made = {name: torch.stack(rows) for name, rows in batch.items()}
    made["mm_token_type_ids"] = (made["input_ids"] == image_token_id).int()
    pixels = [item.pixel_values for item in items if item.pixel_values is not None]
    grids = [item.grid_thw for item in items if item.grid_thw is not None]
    return made | ({"pixel_values": torch.cat(pixels), "image_grid_thw": torch.cat(grids)} if pixels else {})
