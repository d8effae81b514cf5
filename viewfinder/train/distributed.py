"""The processes of a run: FSDP2 over groups, tensor parallelism inside a group. One process runs the same code.

`torchrun` sets the environment. Without it there is one process and nothing is sharded. Weights keep their names, and
every rank runs the same modules in the same order.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.utils.checkpoint import checkpoint

from viewfinder.train.config import ConfigError, ParallelConfig, TrainConfig
from viewfinder.train.learner import Learner


@dataclass(frozen=True)
class ParallelDims:
    """The place of this process. Data ranks see different batches; the `tensor` ranks of a data rank share them."""

    rank: int = 0
    world: int = 1
    tensor: int = 1
    device: str = "cpu"
    mesh: DeviceMesh | None = None

    @property
    def data_rank(self) -> int:
        return self.rank // self.tensor

    @property
    def data_world(self) -> int:
        return self.world // self.tensor


def pick_device(wanted: str) -> str:
    """The kind of device that a run with `device=wanted` uses.

    Raises:
        ConfigError: "cuda" is asked for and there is no GPU that PyTorch can use.
    """
    is_available = torch.cuda.is_available()
    if wanted == "cuda" and not is_available:
        raise ConfigError(
            "device is cuda, and PyTorch finds no GPU here; install a build of PyTorch for the GPU's driver, or give "
            "device=auto"
        )
    return "cuda" if is_available and wanted != "cpu" else "cpu"


def init_distributed(config: ParallelConfig, device: str = "auto") -> ParallelDims:
    """Join the other processes that `torchrun` started; alone without it. Each has the GPU of its local rank.

    Raises:
        ConfigError: the number of processes is not a multiple of `config.tensor`, or there is no such device.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world % config.tensor:
        raise ConfigError(f"parallel.tensor is {config.tensor}, which does not divide {world} processes; change either")
    device = pick_device(device)
    if world == 1:
        return ParallelDims(device=device)
    own = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if device == "cuda" else None
    if own is not None:
        torch.cuda.set_device(own)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device == "cuda" else "gloo", device_id=own)
    return ParallelDims(dist.get_rank(), world, config.tensor, device, make_mesh(device, world, config.tensor))


def make_mesh(device: str, world: int, tensor: int) -> DeviceMesh:
    return init_device_mesh(device, (world // tensor, tensor), mesh_dim_names=("data", "tensor"))


def apply_parallelism(learner: Learner, config: TrainConfig, parallel: ParallelDims) -> None:
    """Device, activation recomputation, compilation and sharding of a config, in place.

    Sharding moves one block at a time, so that a model larger than a GPU never stands whole on one.
    """
    if parallel.mesh is None:
        learner.to(parallel.device)
    if config.recompute:
        for block in transformer_blocks(learner):
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    if config.compile:
        for block in transformer_blocks(learner):
            getattr(block, "mlp", block).compile(dynamic=True)
    if parallel.mesh is not None:
        learner.always_look = True
        shard(learner, config, parallel.mesh)


def shard(learner: Learner, config: TrainConfig, mesh: DeviceMesh) -> None:
    """Split the language model's matrices over "tensor" ranks and everything over "data" ranks.

    Raises:
        ConfigError: the "tensor" ranks cannot share this model or objective, or the weights have two dtypes.
    """
    if config.lora is not None and config.lora.base_dtype != "float32":
        raise ConfigError(
            f"lora.base_dtype is {config.lora.base_dtype} and adapters are float32, and FSDP2 shards no module of two "
            "dtypes, so this cannot be trained on several processes; leave the setting out"
        )
    if config.parallel.tensor > 1:
        _check_tensor(config)
        for layer in _language_layers(learner):
            parallelize_module(layer, mesh["tensor"], TENSOR_PLAN)
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if config.bf16 else None,
        reduce_dtype=torch.float32,
        cast_forward_inputs=False,
    )
    options = {"mesh": mesh["data"], "mp_policy": policy}
    for block in transformer_blocks(learner):
        fully_shard(block, **options, reshard_after_forward=config.parallel.reshard)
    fully_shard(learner, **options)


def _check_tensor(config: TrainConfig) -> None:
    ranks, kv_heads = config.parallel.tensor, config.model.text.num_key_value_heads
    if kv_heads % ranks:
        raise ConfigError(f"parallel.tensor is {ranks}, which cannot share {kv_heads} key heads; choose a divisor")
    if config.lora is not None or config.objective == "contrastive":
        raise ConfigError(
            "parallel.tensor splits whole matrices of the language model, and this run trains "
            f"{'adapters' if config.lora is not None else 'no language model'}; leave it at 1, all is sharded anyway"
        )


TENSOR_PLAN = {
    **{f"self_attn.{name}_proj": ColwiseParallel() for name in "qkv"},
    "self_attn.o_proj": RowwiseParallel(),
    "mlp.gate_proj": ColwiseParallel(),
    "mlp.up_proj": ColwiseParallel(),
    "mlp.down_proj": RowwiseParallel(),
}


def _language_layers(learner: Learner) -> Iterator[nn.Module]:
    yield from learner.model.model.layers
    if learner.reference is not None:
        yield from learner.reference.model.model.layers


def transformer_blocks(learner: Learner) -> list[nn.Module]:
    """Every layer of tower, language model, reference and text encoder."""
    found: list[nn.Module] = [*learner.model.visual.blocks, *_language_layers(learner)]
    text = getattr(learner.heads["contrast"], "text", None) if "contrast" in learner.heads else None
    return found + (list(text.layers) if text is not None else [])


@torch.no_grad()
def clip_gradients(learner: nn.Module, limit: float) -> float:
    """Scale all gradients so that their norm, over all ranks, is at most `limit`; returns the norm before."""
    grads = [p.grad for p in learner.parameters() if p.grad is not None]
    by_mesh: dict[object, list[Tensor]] = {}
    for grad in grads:
        by_mesh.setdefault(grad.device_mesh if isinstance(grad, DTensor) else None, []).append(grad)
    total = torch.zeros((), dtype=torch.float32)
    for members in by_mesh.values():
        norm = nn.utils.get_total_norm(members)
        total += (norm.full_tensor() if isinstance(norm, DTensor) else norm).cpu().float() ** 2
    norm = float(total.sqrt())
    if norm > limit:
        torch._foreach_mul_(grads, limit / (norm + 1e-6))  # pyright: ignore[reportPrivateImportUsage] - no public name
    return norm


def all_reduce_sum(values: list[float], parallel: ParallelDims) -> list[float]:
    """Sums over all data parallel."""
    if parallel.world == 1:
        return values
    tensor = torch.tensor(values, dtype=torch.float64, device=parallel.device)
    dist.all_reduce(tensor)
    return [value / parallel.tensor for value in tensor.tolist()]


def full_tensor(tensor: Tensor) -> Tensor:
    """The whole tensor, gathered from all ranks where it is sharded."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
