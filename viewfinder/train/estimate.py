"""Memory and traffic of one rank in a run, from shapes alone, before the run.

Weights, gradients, optimizer and averages are exact (`count_sharded` compares them with what FSDP2 makes). Activations
and traffic are counted by formula. Bytes and FLOPs are those of one step with one packed sequence a rank.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.tensor import DTensor

from viewfinder.processor.cost import vision_flops
from viewfinder.train.checkpoint import run_tensors
from viewfinder.train.config import TrainConfig
from viewfinder.train.distributed import TENSOR_PLAN, make_mesh, shard, transformer_blocks
from viewfinder.train.flops import passes_of, text_flops
from viewfinder.train.learner import Learner
from viewfinder.train.losses import MAX_LOGITS
from viewfinder.train.optim import AveragedWeights, build_optimizers, is_muon

FULL, HALF = 4, 2
"""Bytes of float32 and of bfloat16."""
GRID = (1, 38, 38)
"""The picture that all are taken to be: 532 x 532 pixels, 361 tokens."""


@dataclass(frozen=True)
class Data:
    """What a packed sequence is assumed to hold.

    Attributes:
        media: share of its tokens that are pixels.
        sequence: tokens of a sample, for attention.
        labelled: share of its tokens that carry loss.
    """

    media: float
    sequence: int
    labelled: float


@dataclass(frozen=True)
class Memory:
    """Bytes of one rank: kept between steps, and temporary within a step.

    Attributes:
        weights, gradients, optimizer, average: this rank's share, in float32 but for frozen matrices.
        gathered: the weights of the outermost module and of two blocks, whole, and one block's gradients.
        activations: kept for the backward pass.
        logits: of a chunk, and the gradient of the output projection.
        rollouts: keys and values, and a copy of the weights; let go before activations are made.
    """

    weights: int
    gradients: int
    optimizer: int
    average: int
    gathered: int
    activations: int
    logits: int
    rollouts: int = 0

    @property
    def kept(self) -> int:
        return self.weights + self.optimizer + self.average

    @property
    def total(self) -> int:
        return self.kept + self.gradients + self.gathered + max(self.activations + self.logits, self.rollouts)


def memory(config: TrainConfig, learner: Learner, world: int, data: Data) -> Memory:
    """Bytes of the first rank, whose shards are the largest in FSDP2. `learner` may be on the meta device."""
    tensor = config.parallel.tensor
    ranks = world // tensor
    learns, sizes = 0, {"weights": 0, "optimizer": 0, "average": 0}
    for name, parameter in learner.named_parameters():
        count = _share(name, parameter, ranks, tensor)
        sizes["weights"] += parameter.element_size() * count  # a frozen base may be narrower
        if parameter.requires_grad:
            learns += FULL * count
            states = 1 if is_muon(name, parameter, config.optimizer) else 2
            sizes["optimizer"] += states * FULL * count + (FULL if states == 2 else 0)
            sizes["average"] += FULL * count if config.optimizer.ema else 0
    width = HALF if config.bf16 else FULL
    inner = [sum(p.numel() for p in block.parameters()) for block in transformer_blocks(learner)]
    outer = sum(p.numel() for p in learner.parameters()) - sum(inner)
    largest = max(inner, default=0) // tensor
    speaks = config.objective != "contrastive" and config.answer_weight > 0
    return Memory(
        **sizes,
        gradients=learns,
        gathered=(width * (outer + 2 * largest) + FULL * largest) if world > 1 else 0,
        activations=width * activations(config, data),
        logits=_logits(config, data) if speaks else 0,
    )


def _logits(config: TrainConfig, data: Data) -> int:
    """A chunk of logits with its softmax (and the slope of it, where autograd does that), and the head's gradient."""
    text, copies = config.model.text, 3 if config.objective == "policy" else 2
    head = text.vocab_size * text.hidden_size * bool(config.lr_scale.language and config.lora is None)
    return FULL * (copies * min(MAX_LOGITS, int(data.labelled * config.seq_len) * text.vocab_size) + head)


def _share(name: str, parameter: nn.Parameter, ranks: int, tensor: int) -> int:
    """Values of one parameter on the first rank. FSDP2 cuts rows, tensor parallelism the dimension of its plan."""
    shape = list(parameter.shape) or [1]
    if tensor > 1 and ".layers." in name:
        for place, style in TENSOR_PLAN.items():
            if f".{place}." in name:
                axis = 1 if type(style).__name__ == "RowwiseParallel" else 0
                shape[axis] //= tensor
    shape[0] = math.ceil(shape[0] / ranks)
    return math.prod(shape)


def activations(config: TrainConfig, data: Data) -> int:
    """Values kept for the backward pass of one packed sequence: of all layers, or their inputs and one layer whole.

    A layer keeps 10 values of its width a token (what went into norms, projections and sums, queries, the attention's
    result; 12 in the tower, with keys and values), keys and values, and 4 of the width inside its feed-forward part.
    """
    passes, text, vision = passes_of(config), config.model.text, config.model.vision
    tokens, tensor = config.seq_len, config.parallel.tensor
    kv = text.num_key_value_heads * text.head_dim
    layer = 7 * text.hidden_size + (3 * text.hidden_size + 2 * kv + 4 * text.intermediate_size) // tensor
    block = 12 * vision.hidden_size + 4 * vision.intermediate_size
    patches = int(4 * data.media * tokens)
    total = patches * vision.patch_dim if passes.vision > 1 else 0
    for learns, depth, one, width, count in (
        (passes.text > 1, text.num_hidden_layers, layer, text.hidden_size, tokens),
        (passes.vision > 1, vision.depth, block, vision.hidden_size, patches),
    ):
        if learns:
            total += count * (depth * width + one if config.recompute else depth * one)
    return total


def step_flops(config: TrainConfig, data: Data) -> float:
    """FLOPs of one packed sequence, all passes, recomputation not counted."""
    passes, tokens = passes_of(config), config.seq_len
    per_picture = GRID[0] * GRID[1] * GRID[2] // 4
    vision = passes.vision * vision_flops(config.model.vision, GRID) / per_picture * data.media * tokens
    sequence = min(data.sequence, tokens)
    words = [sequence] * (tokens // sequence)
    model = config.contrastive.text if config.objective == "contrastive" and config.contrastive else config.model.text
    if config.objective == "contrastive":
        words = [max(1, int(sequence * (1 - data.media)))] * len(words)
    return vision + passes.text * text_flops(model, words, int(data.labelled * tokens))


def step_traffic(config: TrainConfig, learner: Learner, world: int) -> float:
    """Bytes that one rank sends in a step of one packed sequence.

    Weights are gathered for the forward pass and, where they were freed, again for the backward pass. Gradients are
    reduced in float32. Tensor parallelism reduces activations twice a layer in each direction.
    """
    tensor = config.parallel.tensor
    ranks = world // tensor
    width = HALF if config.bf16 else FULL
    idle = "model.model.layers." if passes_of(config).text == 0 or config.objective == "contrastive" else "-"
    weights = learnt = 0.0
    for name, parameter in learner.named_parameters():
        if not name.startswith(idle):
            count = parameter.numel() / (tensor if ".model.layers." in name else 1)
            weights += count
            learnt += count if parameter.requires_grad else 0
    again = 2 if config.parallel.reshard else 1
    data = (again * width * weights + FULL * learnt) * (ranks - 1) / ranks
    text = config.model.text
    sums = 4 * text.num_hidden_layers * config.seq_len * text.hidden_size * width
    return data + 2 * sums * (tensor - 1) / tensor


def count_sharded(config: TrainConfig, learner: Learner, world: int) -> dict[str, int]:
    """Bytes of the first of `world` ranks after really sharding `learner` (on the meta device) in a group that
    sends nothing: "weights", "optimizer" and "average"."""
    with fake_ranks(world):
        shard(learner, config, make_mesh("cpu", world, config.parallel.tensor))
        optimizers = build_optimizers(learner, config.optimizer, config.lr_scale)
        average = AveragedWeights(learner, config.optimizer.ema)
        found = {"weights": sum(_local(p) for p in learner.parameters()), "optimizer": 0, "average": 0}
        for name, tensor in run_tensors(learner, optimizers, average).items():
            kind = name.split(".", 1)[0]
            if kind != "weights":
                found[kind] += _local(tensor)
    return found


def _local(tensor: torch.Tensor) -> int:
    local = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    return local.numel() * local.element_size()


@contextmanager
def fake_ranks(world: int) -> Iterator[None]:
    """A process group of `world` ranks without the other processes, to see how weights would be sharded."""
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=world)
    try:
        yield
    finally:
        dist.destroy_process_group()
