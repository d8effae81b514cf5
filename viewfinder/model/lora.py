"""Low-rank adapters (LoRA, Hu et al. 2021) on linear layers, and their files in PEFT's format.

A layer keeps its weight and its name, so checkpoints load and save as before; what is added are two small
matrices. Files name layers as transformers from 4.52 on does (`model.language_model.layers...`); reading
takes the older names and ours too, and an adapter that fits nowhere is an error, never silence.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.errors import CheckpointError
from viewfinder.model.layers import Linear
from viewfinder.storage.atomic import replacing, write_whole

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
_KEY = re.compile(r"^(?:base_model\.model\.)?(.*)\.lora_([AB])(?:\.(default|[\w-]+))?\.weight$")
_STARTS = (True, False, "gaussian", "orthogonal", "eva")
"""Values of `init_lora_weights` that draw A and B and leave the base as it is; pissa, olora, corda, loftq and lora_ga
take what A and B begin with out of the base's weights."""
_SETTINGS = """
    peft_type task_type base_model_name_or_path revision auto_mapping inference_mode peft_version r lora_alpha
    lora_dropout use_rslora bias init_lora_weights target_modules exclude_modules layers_to_transform layers_pattern
    eva_config corda_config loftq_config megatron_core runtime_config qalora_group_size
"""
_KNOWN_SETTINGS = frozenset(_SETTINGS.split())
_NAMES = (
    ("model.language_model.", "model."),
    ("language_model.model.", "model."),
    ("model.visual.", "visual."),
    ("language_model.", "model."),
    ("multi_vector_projector", "custom_text_proj"),
)


class LoraLinear(Linear):
    """`W x + b + scale * B (A x)`; B starts as zeros, so a new adapter changes nothing."""

    lora_A: nn.Parameter
    lora_B: nn.Parameter
    scale: float
    enabled: bool

    def forward(self, input: Float[Tensor, "... I"]) -> Float[Tensor, "... O"]:
        out = super().forward(input)
        if not self.enabled:
            return out
        narrow = F.linear(input, self.lora_A.to(input.dtype))
        return out + self.scale * F.linear(narrow, self.lora_B.to(narrow.dtype))

    @torch.no_grad()
    def merge(self) -> None:
        """Add the adapter to the weight and become a plain layer."""
        self.weight += (self.scale * self.lora_B @ self.lora_A).to(self.weight.dtype)
        del self.lora_A, self.lora_B
        self.__class__ = Linear  # type: ignore[assignment]


def add_adapters(model: nn.Module, rank: int, alpha: float, targets: Sequence[str], within: str = "model.") -> int:
    """Freeze `model` and put adapters on the linear layers under `within` whose last name is in `targets`.

    Returns the number of layers.

    Raises:
        CheckpointError: no layer has such a name.
    """
    model.requires_grad_(False)
    layers = [
        module
        for name, module in model.named_modules()
        if name.startswith(within) and name.rsplit(".", 1)[-1] in targets and type(module) is Linear
    ]
    if not layers:
        names = sorted({n.rsplit(".", 1)[-1] for n, m in model.named_modules() if type(m) is Linear})
        raise CheckpointError(
            f"no linear layer under {within!r} is called {', '.join(targets)}, so nothing would be trained; "
            f"names there are {', '.join(names)}"
        )
    for layer in layers:
        _adapt(layer, rank, alpha / rank)
    return len(layers)


def _adapt(layer: Linear, rank: int, scale: float) -> None:
    weight = layer.weight
    layer.__class__ = LoraLinear
    assert isinstance(layer, LoraLinear)
    layer.lora_A = nn.Parameter(torch.empty(rank, layer.in_features, device=weight.device))
    layer.lora_B = nn.Parameter(torch.zeros(layer.out_features, rank, device=weight.device))
    nn.init.kaiming_uniform_(layer.lora_A, a=math.sqrt(5))
    layer.scale, layer.enabled = scale, True


def adapted_layers(model: nn.Module) -> dict[str, LoraLinear]:
    """Layers with adapters, by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLinear)}


@contextmanager
def adapters_disabled(model: nn.Module) -> Iterator[None]:
    """The model without its adapters."""
    layers = adapted_layers(model).values()
    for layer in layers:
        layer.enabled = False
    try:
        yield
    finally:
        for layer in layers:
            layer.enabled = True


def merge_adapters(model: nn.Module) -> None:
    """Add all adapters to the weights; the model is then a plain one."""
    for layer in adapted_layers(model).values():
        layer.merge()


def save_adapter(
    model: nn.Module, directory: str | Path, base: str = "", state: Mapping[str, Tensor] | None = None
) -> None:
    """Write a directory that PEFT loads.

    Args:
        base: the directory or hub id of the model underneath.
        state: whole parameters by name, where those of `model` are sharded over processes.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    layers = adapted_layers(model)
    whole = state if state is not None else dict(model.named_parameters())
    tensors = {
        f"base_model.model.{_official(name)}.lora_{side}.weight": whole[f"{name}.lora_{side}"]
        .detach()
        .contiguous()
        .cpu()
        for name in layers
        for side in "AB"
    }
    with replacing(directory / WEIGHTS) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
    first = next(iter(layers.values()))
    rank = first.lora_A.shape[0]
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": first.scale * rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "inference_mode": True,
        "target_modules": sorted({_official(name) for name in layers}),
    }
    write_whole(directory / CONFIG, json.dumps(config, indent=2) + "\n")


def load_adapter(model: nn.Module, directory: str | Path, name: str = "default") -> None:
    """Put the adapter of a PEFT directory on `model` (which it freezes).

    Args:
        name: of several adapters in one file (jina-embeddings-v4: `q_proj.lora_A.retrieval.weight`), that to take.

    Raises:
        CheckpointError: files missing or damaged, settings that change the arithmetic or the base, or tensors that fit
            no layer.
    """
    directory = Path(directory)
    try:
        config: dict[str, Any] = json.loads((directory / CONFIG).read_text())
        tensors = load_file(directory / WEIGHTS)
    except (OSError, json.JSONDecodeError, SafetensorError) as error:
        raise CheckpointError(
            f"{directory} is no readable adapter ({error}); it needs {CONFIG} and {WEIGHTS}, as PEFT writes them"
        ) from error
    _refuse_unsupported(config)
    found = _read_layers(model, {key: t for key, t in tensors.items() if _adapter_of(key) in (None, "default", name)})
    model.requires_grad_(False)
    for name, sides in found.items():
        layer = model.get_submodule(name)
        assert isinstance(layer, Linear)
        rank = sides["A"].shape[0]
        root = math.sqrt(rank) if config.get("use_rslora") else rank
        _adapt(layer, rank, config["lora_alpha"] / root)
        with torch.no_grad():
            layer.lora_A.copy_(sides["A"])  # type: ignore[union-attr]
            layer.lora_B.copy_(sides["B"])  # type: ignore[union-attr]


def _adapter_of(key: str) -> str | None:
    match = _KEY.match(key)
    return match[3] if match else None


def _read_layers(model: nn.Module, tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    layers = {name: module for name, module in model.named_modules() if type(module) is Linear}
    found: dict[str, dict[str, Tensor]] = {}
    wrong: list[str] = []
    for key, tensor in tensors.items():
        match = _KEY.match(key)
        name = _ours(match[1]) if match else ""
        layer, side = layers.get(name), match[2] if match else ""
        if layer is None or tensor.shape[1 if side == "A" else 0] != layer.weight.shape[1 if side == "A" else 0]:
            wrong.append(key)
        else:
            found.setdefault(name, {})[side] = tensor
    wrong += [name for name, sides in found.items() if len(sides) != 2]
    if wrong or not found:
        raise CheckpointError(
            f"{len(wrong)} of {len(tensors)} adapter tensors fit no layer of this model (first: "
            f"{', '.join(wrong[:3]) or 'there are none'}); it was made for another model or by another naming"
        )
    return found


def _refuse_unsupported(config: dict[str, Any]) -> None:
    """Take settings that are known to leave `W x + scale * B (A x)` on the untouched base, and nothing else."""
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none":
        raise CheckpointError(
            f"{CONFIG} describes {config.get('peft_type')!r} with bias {config.get('bias')!r}, expected 'LORA' "
            "without biases; merge that adapter with PEFT instead"
        )
    start = config.get("init_lora_weights", True)
    if start not in _STARTS:
        raise CheckpointError(
            f"{CONFIG} sets init_lora_weights {start!r}, whose base has other weights than the published model, so its "
            "product would be added to the wrong ones; save it with path_initial_model_for_weight_conversion, or merge "
            "it with PEFT on the base it was trained with"
        )
    for key, value in config.items():
        if value and key not in _KNOWN_SETTINGS:
            raise CheckpointError(f"{CONFIG} sets {key}, which is not supported; merge that adapter with PEFT instead")


def _official(name: str) -> str:
    if name.startswith("visual."):
        return f"model.{name}"
    return name.replace("model.", "model.language_model.", 1)


def _ours(name: str) -> str:
    for old, new in _NAMES:
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
