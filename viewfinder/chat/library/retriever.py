"""A late-interaction retriever (ColQwen2.5, jina-embeddings-v4): a vector for each token of a page or a query.

Vectors of the picture stand for patches of 28 x 28 pixels of what the model saw, so a score says where it comes from.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from viewfinder.config_file import read_json
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.engine.fingerprint import fingerprint
from viewfinder.errors import CheckpointError
from viewfinder.model import load_model
from viewfinder.model.late_interaction import LateInteraction
from viewfinder.model.lora import load_adapter, merge_adapters
from viewfinder.processor.chat_template import Rendered, Segment
from viewfinder.processor.processor import Prepared, Processor

_CELL = 28


@dataclass(frozen=True)
class Family:
    """What stands around a page and a query; pieces of text with whether they are one token.

    Attributes:
        most_tokens: of a page's picture, where the checkpoint's own budget does not count.
        adapter: of those beside the checkpoint, that to take; "" where there are none.
    """

    behind_page: tuple[tuple[str, bool], ...]
    before_query: str
    pads_behind_query: int
    most_tokens: int | None
    adapter: str = ""


_COLQWEN = Family((("<|im_end|>", True), ("<|endoftext|>", True)), "", 10, 768)
"""As colpali-engine 0.3.18 writes them; 768 tokens are what the published adapters were trained with."""
_JINA = Family((("<|im_end|>", True), ("\n", False)), "Query: ", 0, None, "retrieval")
"""As `modeling_jina_embeddings_v4.py` of jinaai/jina-embeddings-v4 writes them."""
_PAGE = (
    *(("<|im_start|>", True), ("user\n", False), ("<|vision_start|>", True), ("<|image_pad|>", True)),
    *(("<|vision_end|>", True), ("Describe the image.", False)),
)


class Retriever:
    """A model that gives vectors, and its processor."""

    def __init__(self, model: LateInteraction, processor: Processor, family: Family = _COLQWEN) -> None:
        self.model = model
        self.processor = processor
        self.family = family

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
                f"{name} has no custom_text_proj, so it gives no vectors to search by; take a ColQwen2.5 or "
                "jina-embeddings-v4 checkpoint"
            )
        family = _JINA if "multi_vector_projector_dim" in read_json(directory / "config.json") else _COLQWEN
        if adapter is None and family.adapter and (directory / "adapters").is_dir():
            adapter = directory / "adapters"
        if adapter is not None:
            load_adapter(model, adapter, family.adapter or "default")
            merge_adapters(model)
        budget = {"max_pixels": family.most_tokens * _CELL**2} if family.most_tokens else {}
        return cls(model, Processor.from_pretrained(directory, **budget), family)

    @cached_property
    def fingerprint(self) -> str:
        """Names the weights and how pages become tokens: vectors of two fingerprints do not belong together."""
        return fingerprint(self.model, self.processor.stamp.hash, _PAGE, self.family)

    @torch.inference_mode()
    def page(self, image: Any) -> tuple[Float[Tensor, "T 128"], Prepared]:
        """Vectors of a page, and what they were made of."""
        part = self.processor.fit(image)
        rendered = Rendered(
            tuple(Segment(text, is_token=token) for text, token in (*_PAGE, *self.family.behind_page)), (part,)
        )
        prepared = self.processor.prepare_rendered(rendered)
        return self.model.vectors(prepared.inputs), prepared

    @torch.inference_mode()
    def query(self, text: str) -> Float[Tensor, "T 128"]:
        """Vectors of a query: its words, and for ColQwen2.5 ten paddings that the model may use for more of them."""
        pads = [Segment("<|endoftext|>", is_token=True)] * self.family.pads_behind_query
        segments = [Segment(self.family.before_query + text), *pads]
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
