"""Inner states of the language model, kept during one forward pass by forward hooks."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from viewfinder.inputs import ModelInputs
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL


class LayerRecorder:
    """`kept` is what the last forward pass inside `recording` left.

    "middle" are the states after half of the layers, (T, D); "after" those after the next layer; "queries" and "keys"
    what the projections of that next layer give, before the rotary embedding.
    """

    def __init__(self) -> None:
        self.kept: dict[str, Tensor] = {}
        self._open = False

    @contextmanager
    def recording(self, model: Qwen2_5_VL) -> Iterator[None]:
        """Fill `kept` in the forward pass that is made meanwhile. Several losses may open it for one pass."""
        if self._open:
            yield
            return
        layers = model.model.layers
        half = (len(layers) - 1) // 2
        after = layers[min(half + 1, len(layers) - 1)]
        queries, keys = (after.get_submodule(f"self_attn.{name}") for name in ("q_proj", "k_proj"))
        modules = {"middle": layers[half], "queries": queries, "keys": keys, "after": after}
        kept = self.kept = {}
        hooks = [
            module.register_forward_hook(lambda _module, _inputs, output, name=name: kept.update({name: output}))
            for name, module in modules.items()
        ]
        self._open = True
        try:
            yield
        finally:
            self._open = False
            for hook in hooks:
                hook.remove()


def is_media(model: Qwen2_5_VL, inputs: ModelInputs) -> Tensor:
    """Which tokens stand for pictures or clips, (T,) of bool."""
    ids = inputs.input_ids
    return (ids == model.config.image_token_id) | (ids == model.config.video_token_id)
