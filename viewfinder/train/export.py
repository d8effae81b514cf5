"""The weights of a run as a checkpoint directory in the official layout, at any step, from any number of ranks."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from viewfinder.model.lora import adapted_layers, save_adapter
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import save_pretrained
from viewfinder.train.learner import Learner
from viewfinder.train.ranks import Ranks, full


def export_checkpoint(
    learner: Learner, directory: Path, ranks: Ranks, extra: Callable[[Path], None] | None = None
) -> None:
    """Write `directory`, adapters merged in; these also go to `adapter` beside it, as PEFT writes them.

    Every rank takes part in gathering; the first one writes. `extra` adds the processor's files.
    """
    model = learner.model
    state: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        whole = full(parameter.detach())
        if ranks.rank == 0:
            state[name] = whole.cpu()
    if ranks.rank:
        return
    for name, layer in adapted_layers(model).items():
        a, b = state.pop(f"{name}.lora_A"), state.pop(f"{name}.lora_B")
        state[f"{name}.weight"] = state[f"{name}.weight"] + layer.scale * b @ a
    with torch.device("meta"):
        plain = Qwen2_5_VL(model.config)
    plain.load_state_dict(state, strict=False, assign=True)
    plain.tie_weights()
    save_pretrained(plain, directory)
    if learner.config.lora is not None and ranks.world == 1:
        save_adapter(model, directory.parent / "adapter", learner.config.lora.alpha)
    if extra is not None:
        extra(directory)
