"""A late-interaction retriever: a ColQwen2.5 checkpoint that gives one vector for each token of a page or a query.

Vectors of the picture stand for patches of 28 x 28 pixels of what the model saw, so a score says where it comes from.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.engine.fingerprint import fingerprint
from viewfinder.errors import CheckpointError
from viewfinder.model import load_model
from viewfinder.model.late_interaction import LateInteraction
from viewfinder.model.lora import load_adapter, merge_adapters
from viewfinder.processor.chat_template import Rendered, Segment
from viewfinder.processor.processor import Prepared, Processor

_PAGE = (
    *(("<|im_start|>", True), ("user\n", False), ("<|vision_start|>", True), ("<|image_pad|>", True)),
    *(("<|vision_end|>", True), ("Describe the image.", False), ("<|im_end|>", True), ("<|endoftext|>", True)),
)
"""What stands around a page, as colpali-engine writes it."""
_PADS_BEHIND_QUERY = 10
_MOST_TOKENS = 768
"""Of a page's picture: what the published adapters were trained with."""
_CELL = 28


class Retriever:
    """A model that gives vectors, and its processor."""

    def __init__(self, model: LateInteraction, processor: Processor) -> None:
        self.model = model
        self.processor = processor

    @classmethod
    def load(cls, name: str | Path, adapter: str | Path | None = None, *, dtype: torch.dtype | None = None) -> Self:
        """A checkpoint with the projection, and with a PEFT adapter merged into it where one is given.

        `name` may be the directory of the adapter itself, whose `base_model_name_or_path` is then the checkpoint.

        Raises:
            CheckpointError: it has no projection, or the adapter fits no layer.
        """
        directory = find_checkpoint(name)
        if (directory / "adapter_config.json").is_file() and not (directory / "config.json").is_file():
            return cls.load(_base_of(directory), directory, dtype=dtype)
        model = load_model(directory, dtype=dtype)
        if not isinstance(model, LateInteraction):
            raise CheckpointError(
                f"{name} has no custom_text_proj, so it gives no vectors to search by; take a ColQwen2.5 checkpoint"
            )
        if adapter is not None:
            load_adapter(model, adapter)
            merge_adapters(model)
        return cls(model, Processor.from_pretrained(directory, max_pixels=_MOST_TOKENS * _CELL**2))

    @cached_property
    def fingerprint(self) -> str:
        """Names the weights and how pages become tokens: vectors of two fingerprints do not belong together."""
        return fingerprint(self.model, self.processor.stamp.hash, _PAGE)

    @torch.inference_mode()
    def page(self, image: Any) -> tuple[Float[Tensor, "T 128"], Prepared]:
        """Vectors of a page, and what they were made of."""
        part = self.processor.fit(image)
        rendered = Rendered(tuple(Segment(text, is_token=token) for text, token in _PAGE), (part,))
        prepared = self.processor.prepare_rendered(rendered)
        return self.model.vectors(prepared.inputs), prepared

    @torch.inference_mode()
    def query(self, text: str) -> Float[Tensor, "T 128"]:
        """Vectors of a query: its words, and ten paddings that the model may use for more of them."""
        segments = [Segment(text), *[Segment("<|endoftext|>", is_token=True)] * _PADS_BEHIND_QUERY]
        return self.model.vectors(self.processor.prepare_rendered(Rendered(tuple(segments), ())).inputs)


def _base_of(adapter: Path) -> str:
    path = adapter / "adapter_config.json"
    try:
        base = json.loads(path.read_text())["base_model_name_or_path"]
    except (ValueError, KeyError, TypeError, OSError):
        base = None
    if not isinstance(base, str) or not base:
        raise CheckpointError(
            f"{path} names no base_model_name_or_path; add the checkpoint that the adapter belongs to"
        )
    return base
