"""`load`: a model by its name, with the conventions of the family that it belongs to."""

import logging
from pathlib import Path
from typing import Any, Unpack

from viewfinder.chat.job_options import Budgets
from viewfinder.chat.viewfinder import Viewfinder
from viewfinder.config_file import read_json
from viewfinder.errors import check_names
from viewfinder.outputs.families import Profile, named_profile, profile_of

_LOG = logging.getLogger(__name__)


def load(
    name: str = "tiny",
    *,
    dtype: Any = None,
    device: Any = None,
    mmproj: str | Path | None = None,
    profile: str | None = None,
    kv_cache_dtype: str | None = None,
    tensor_parallel: int = 1,
    **settings: Unpack[Budgets],
) -> Viewfinder:
    """A ready `Viewfinder`.

    Args:
        name: `tiny` (built in), a checkpoint directory, a hub id such as `Qwen/Qwen2.5-VL-7B-Instruct`, or a language
            model's GGUF file.
        dtype: a torch dtype or its name ("bfloat16"; "int8" and "int4" round weights, "w8a8" is int8 whose prompts and
            pictures are rounded too, before each product); None keeps what the checkpoint has.
        device: where to run; None takes a GPU when there is one.
        mmproj: the GGUF file of the tower, where it is not the only one beside the language model.
        profile: the family of a fine-tune, by its name in `outputs/families.toml`, or "none"; None takes it from the
            names that the checkpoint has.
        kv_cache_dtype: "int8" keeps keys and values in 8 bits: room for twice the tokens; None as activations are.
        tensor_parallel: over how many GPUs of this machine the weights are spread, for models that do not fit one; as
            many processes are started (without a GPU, on the CPU, which is for trials only).
        settings: the processor's budgets, e.g. `max_pixels=1280 * 28 * 28`.

    Raises:
        CheckpointError: the model cannot be found or loaded.
        SettingsError: a budget that is not known, or no dtype; a model that so many GPUs cannot share.
    """
    from viewfinder.engine.engine import Engine
    from viewfinder.model.quantized_linear import round_inputs

    check_names(settings, Budgets.__annotations__, "budget")
    name = str(name) if mmproj is None else f"{name},{mmproj}"
    engine = Engine.from_pretrained(
        name, dtype=_dtype(dtype), device=device, tensor_parallel=tensor_parallel, **settings
    )
    if kv_cache_dtype is not None:
        check_names([kv_cache_dtype], ("int8",), "dtype of keys and values")
        engine.model.kv_cache_dtype = _dtype(kv_cache_dtype)
    if dtype == "w8a8":
        round_inputs(engine.model)
    return Viewfinder(engine, engine.processor, _profile(name) if profile is None else named_profile(profile))


def _dtype(value: Any) -> Any:
    import torch

    if not isinstance(value, str):
        return value
    check_names([value], ("float32", "bfloat16", "float16", "int8", "int4", "w8a8"), "dtype of a model")
    return getattr(torch, "int8" if value == "w8a8" else value)


def _profile(name: str) -> Profile:
    """The family by the checkpoint's names; says so where a fine-tune is of none that is known."""
    config = Path(name).expanduser() / "config.json"
    origin = str(read_json(config).get("_name_or_path", "")) if config.is_file() else ""
    found = profile_of(name, origin)
    told = [one for one in (origin, name) if "/" in one and not Path(one).exists()]
    if not found.name and told and "qwen2.5-vl" not in " ".join(told).lower():
        _LOG.info("%s is of no family with a profile: it is asked and read in the official way", told[0])
    return found
