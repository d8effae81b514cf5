"""The text encoder and projections of contrastive pre-training. They are thrown away; the vision tower is kept."""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.model.qwen2_5_vl import TextModel
from viewfinder.train.batches import ContrastiveBatch
from viewfinder.train.config import ContrastiveConfig
from viewfinder.train.losses import contrastive_loss

MAX_SCALE = 100.0


class ContrastHead(nn.Module):
    """A causal text encoder, one projection each for pictures and captions, and a learned temperature.

    A picture is the mean of its features over its tokens, so pictures of any size and aspect share a batch. A caption
    is the state of its last token.
    """

    def __init__(self, config: ContrastiveConfig, tower_width: int) -> None:
        super().__init__()
        self.text = TextModel(config.text)
        self.image_projection = nn.Linear(tower_width, config.width, bias=False)
        self.text_projection = nn.Linear(config.text.hidden_size, config.width, bias=False)
        self.log_scale = nn.Parameter(torch.tensor([2.6593]))  # 1 / 0.07, as in CLIP

    def forward(self, features: Float[Tensor, "M D"], batch: ContrastiveBatch) -> tuple[Tensor, Tensor]:
        """Summed loss of the pairs of this rank against those of all ranks, and how many were matched."""
        counts = (batch.grid_thw.prod(1) // 4).tolist()
        pooled = torch.stack([part.mean(0) for part in features.split(counts)])
        images = F.normalize(self.image_projection(pooled).float(), dim=-1)[: batch.pairs]
        texts = F.normalize(self.text_projection(self._caption_states(batch)).float(), dim=-1)[: batch.pairs]
        all_images, all_texts, offset = images, texts, 0
        if dist.is_initialized() and dist.get_world_size() > 1:
            (all_images, offset), (all_texts, _) = gather_rows(images), gather_rows(texts)
        scale = self.log_scale.exp().clamp(max=MAX_SCALE)
        return contrastive_loss(images, texts, all_images, all_texts, scale, offset)

    def _caption_states(self, batch: ContrastiveBatch) -> Float[Tensor, "B D"]:
        positions = torch.cat([torch.arange(n) for n in batch.seqlens]).expand(3, -1).to(batch.captions.device)
        hidden = self.text(self.text.embed_tokens(batch.captions), positions, list(batch.seqlens))
        return hidden[torch.tensor(batch.seqlens).cumsum(0) - 1]


def gather_rows(rows: Float[Tensor, "B E"]) -> tuple[Float[Tensor, "A E"], int]:
    """The rows of all ranks (numbers may differ), and the index of the first row of this rank. Gradients flow back."""
    sizes = torch.zeros(dist.get_world_size(), dtype=torch.int64, device=rows.device)
    sizes[dist.get_rank()] = len(rows)
    dist.all_reduce(sizes)
    counts: list[int] = sizes.tolist()
    gathered: Tensor = _Gather.apply(rows, counts)
    return gathered, sum(counts[: dist.get_rank()])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: list[int]) -> Tensor:
        ctx.counts = counts
        padded = F.pad(rows, (0, 0, 0, max(counts) - len(rows))).contiguous()
        parts = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        whole = grads[0].contiguous()
        dist.all_reduce(whole)
        start = sum(ctx.counts[: dist.get_rank()])
        return whole[start : start + ctx.counts[dist.get_rank()]], None
