"""The state of a run on disk: what it consists of, how it is written and read back; and the export of its weights.

One directory a state, renamed into place when it is complete, so a kill leaves complete states; checksums of its
files are compared before it is resumed. Tensors are written by
`torch.distributed.checkpoint`: each rank writes its shards, and any number of ranks can read them. What is not a tensor
(position in the data, random state) is JSON beside them. `state_reader` reads them without running what they say.
"""

import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.metadata import TensorStorageMetadata

from viewfinder.errors import StampError, ViewfinderError
from viewfinder.model.lora import adapted_layers, save_adapter
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import save_pretrained
from viewfinder.storage.atomic import publish_folder, write_whole
from viewfinder.storage.checksums import damage, file_sums, write_sums
from viewfinder.storage.system_errors import read_json
from viewfinder.train.config import ConfigError
from viewfinder.train.distributed import ParallelDims, full_tensor
from viewfinder.train.learner import Learner
from viewfinder.train.optim import AveragedWeights, is_finite, optimizer_tensors
from viewfinder.train.state_reader import StateReader

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
_FACTS, _TRAINING = "facts.json", "training.json"


def run_tensors(
    learner: Learner, optimizers: Sequence[torch.optim.Optimizer], average: AveragedWeights
) -> dict[str, Tensor]:
    """All tensors that training changes, by name; writing to them restores a run."""
    names = {id(p): name for name, p in learner.named_parameters()}
    tensors = {f"weights.{n}": p.detach() for n, p in learner.named_parameters() if p.requires_grad}
    tensors |= {f"optimizer.{n}": t for n, t in optimizer_tensors(optimizers, names).items()}
    return tensors | {f"average.{n}": t for n, t in average.values.items()}


def frozen_sum(learner: Learner) -> float:
    """A sum over all frozen weights. They are not saved, so they must be the same when a run is resumed."""
    sums = (p.detach().double().abs().sum() for p in learner.parameters() if not p.requires_grad)
    return sum(float(full_tensor(value)) for value in sums)


def check_continues(out: Path, facts: dict[str, Any], stamp: str, frozen: float) -> None:
    """The run in `out` may be resumed with this processor and these frozen weights.

    Raises:
        StampError: it was trained with another stamp.
        ConfigError: its frozen weights were others.
    """
    if stamp and facts["stamp"] and facts["stamp"] != stamp:
        raise StampError(
            f"{out} was trained with stamp {facts['stamp']}, this run would go on with {stamp}: equal "
            "input would become other tokens; use the processor settings it began with, or another --out"
        )
    if abs(frozen - facts["frozen"]) > 1e-6 * max(1.0, abs(frozen)):
        raise ConfigError(
            f"the weights of {out} that are not trained differ from those it began with, so what was learnt "
            "does not fit them; give the same --init, or another --out"
        )


def save_state(
    directory: Path, step: int, tensors: dict[str, Tensor], facts: dict[str, Any], keep: int = 2, sound: bool = True
) -> None:
    """Write the state of `step`, with the checksums of its files; every rank takes part.

    The newest `keep` sound states stay, and this one. A state is not sound while steps are being skipped.
    """
    target = directory / f"step-{step:08d}"
    partial = directory / f"{target.name}.partial"
    if _is_first():
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    _wait()
    with _quiet():
        dcp.save(dict(tensors), checkpoint_id=partial)  # pyright: ignore[reportPrivateImportUsage] - no `__all__`
    sums = _gathered(file_sums(partial.glob(f"__{dist.get_rank() if dist.is_initialized() else 0}_*")))
    if _is_first():
        write_whole(partial / _FACTS, json.dumps({"step": step, "sound": sound, **facts}))
        write_sums(partial, sums | file_sums([partial / ".metadata", partial / _FACTS]))
        publish_folder(partial, target)
        _rotate(directory, target, keep)
    _wait()


def _rotate(directory: Path, newest: Path, keep: int) -> None:
    """Remove old states, and those of later steps, which a run that fell back to an older state has given up."""
    sound = [state for state in saved_states(directory) if state <= newest and read_facts(state).get("sound", True)]
    for state in {*saved_states(directory)} - {newest, *sound[-keep:]}:
        (state / _FACTS).unlink()  # first: a state without it is none
        shutil.rmtree(state)


def saved_states(directory: Path) -> list[Path]:
    """Whole states, oldest first; leftovers of a killed run are not among them."""
    return sorted(p for p in directory.glob("step-????????") if (p / _FACTS).is_file())


def newest_state(directory: Path, steps: int = 0) -> Path | None:
    """The newest state with the bytes it was written with; None where there is none. Damaged ones are named in the log.

    States that are not sound are passed over, except at the last of `steps`, after which nothing is trained.

    Raises:
        ConfigError: there are states and all are damaged.
    """
    states, damaged = saved_states(directory), 0
    for state in reversed(states):
        if reason := damage(state):
            damaged += 1
            _LOG.warning("%s is damaged (%s); going back to the state before it", state, reason)
            continue
        facts = read_facts(state)
        if facts.get("sound", True) or facts["step"] >= steps > 0:
            return state
    if states and damaged == len(states):
        raise ConfigError(
            f"all {damaged} states in {directory} are damaged, so the run cannot go on; bring one back from a copy, or "
            "name another --out"
        )
    return None


def agreed_state(directory: Path, steps: int) -> Path | None:
    """As `newest_state`, looked for by the first rank and the same for all."""
    return _from_first(lambda: newest_state(directory, steps))


def read_facts(state: Path) -> dict[str, Any]:
    return read_json(state / _FACTS)


def load_tensors(state: Path, tensors: dict[str, Tensor]) -> None:
    """Fill `tensors` in place, each rank with its shards, whatever number of ranks wrote the state.

    Raises:
        ConfigError: the state is no state of tensors.
    """
    try:
        with _quiet():
            dcp.load(tensors, storage_reader=StateReader(state))  # pyright: ignore[reportPrivateImportUsage] - no `__all__`
    except CheckpointException as error:  # no `Exception`, so nobody would catch it
        cause = next(iter(error.failures.values()))[0]
        if isinstance(cause, OSError | ViewfinderError):
            raise cause from None
        raise ConfigError(f"{state} cannot be read ({cause!s:.300}); bring it back from a copy") from None


def stored_shapes(state: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of a state."""
    metadata = StateReader(state).read_metadata().state_dict_metadata
    return {name: tuple(e.size) for name, e in metadata.items() if isinstance(e, TensorStorageMetadata)}


def read_tensors(state: Path, prefix: str) -> dict[str, Tensor]:
    """The whole tensors of a state whose names begin with `prefix`, by the rest of their names."""
    shapes = {name: shape for name, shape in stored_shapes(state).items() if name.startswith(prefix)}
    tensors = {name: torch.empty(shape) for name, shape in shapes.items()}
    if tensors:
        load_tensors(state, tensors)
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def export_checkpoint(
    learner: Learner,
    directory: Path,
    parallel: ParallelDims,
    extra: Callable[[Path], None] | None = None,
    step: int = 0,
) -> None:
    """Write the weights to `directory` in the official layout, adapters merged in, with their step and checksums.

    They are in the dtype of the run's matrix products: bfloat16 with `bf16`, float32 without. Adapters are also written
    to `adapter` beside it, as PEFT does, in float32. Every rank takes part in gathering, the first one writes. `extra`
    adds the files of the processor. The new directory replaces the old one when it is complete.

    Raises:
        ConfigError: a weight is not finite; the old export stays.
    """
    model = learner.model
    state: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        whole = full_tensor(parameter.detach())
        if parallel.rank == 0:
            state[name] = whole.cpu()
    if parallel.rank:
        return
    adapter, partial = directory.with_name("adapter"), directory.with_name(f"{directory.name}.partial")
    if learner.config.lora is not None:
        shutil.rmtree(adapter.with_name("adapter.partial"), ignore_errors=True)
        save_adapter(model, adapter.with_name("adapter.partial"), state=state)
    shutil.rmtree(partial, ignore_errors=True)
    plain = plain_model(model, state)
    if learner.config.bf16:
        plain.to(torch.bfloat16)
    if not is_finite(list(plain.parameters())):
        raise ConfigError(f"weights to export are not finite, so {directory} stays as it was; lower the learning rates")
    save_pretrained(plain, partial)
    if extra is not None:
        extra(partial)
    write_whole(partial / _TRAINING, json.dumps({"step": step}) + "\n")
    write_sums(partial, file_sums(partial.iterdir()))
    if learner.config.lora is not None:
        publish_folder(adapter.with_name("adapter.partial"), adapter)
    publish_folder(partial, directory)  # last: it says that both are of this step


def is_exported(directory: Path, step: int) -> bool:
    """Whether `directory` holds the whole export of `step`; looked for by the first rank and the same for all."""

    def look() -> bool:
        return (
            (directory / _TRAINING).is_file()
            and not damage(directory)
            and read_json(directory / _TRAINING) == {"step": step}
        )

    return _from_first(look)


def plain_model(model: Qwen2_5_VL, state: dict[str, Tensor]) -> Qwen2_5_VL:
    """The same model with whole tensors and without adapters."""
    for name, layer in adapted_layers(model).items():
        a, b = state.pop(f"{name}.lora_A"), state.pop(f"{name}.lora_B")
        state[f"{name}.weight"] = state[f"{name}.weight"] + layer.scale * b @ a
    with torch.device("meta"):
        plain = Qwen2_5_VL(model.config)
    plain.load_state_dict(state, strict=False, assign=True)
    plain.tie_weights()
    return plain


def _is_first() -> bool:
    return not dist.is_initialized() or dist.get_rank() == 0


def _wait() -> None:
    if dist.is_initialized():
        dist.barrier()


def _gathered(own: dict[str, str]) -> dict[str, str]:
    """The entries of all ranks."""
    if not dist.is_initialized():
        return own
    parts: list[dict[str, str]] = [{} for _ in range(dist.get_world_size())]
    dist.all_gather_object(parts, own)
    return {name: value for part in parts for name, value in part.items()}


def _from_first(find: Callable[[], _T]) -> _T:
    """What the first rank finds; an error there ends the other ranks too."""
    if not dist.is_initialized():
        return find()
    found: list[Any] = [None, None]
    if _is_first():
        try:
            found = [find(), None]
        except ViewfinderError as error:
            found = [None, error]
    dist.broadcast_object_list(found)
    if found[1] is not None:
        raise found[1]
    return found[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """The library warns that there is one process, which is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
