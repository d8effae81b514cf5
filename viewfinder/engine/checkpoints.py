"""Where a model lives: the built-in one, a directory, or a repository of the hub.

Only configuration, tokenizer and safetensors files are fetched; nothing that could run.
"""

import json
from pathlib import Path
from typing import Any

from viewfinder.config import OFFICIAL_SIZES
from viewfinder.errors import CheckpointError
from viewfinder.messages import Sampling

BUILT_IN = "tiny"
_FETCHED = ["*.json", "*.safetensors", "merges.txt"]


def find_checkpoint(name: str | Path) -> Path:
    """The directory of a model given as `tiny`, a directory, an official size or a hub id.

    Raises:
        CheckpointError: no such directory or repository, or the hub cannot be reached.
    """
    if str(name) == BUILT_IN:
        return Path(__file__).parent.parent / "weights" / BUILT_IN
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    repository = f"Qwen/Qwen2.5-VL-{name}-Instruct" if str(name) in OFFICIAL_SIZES else str(name)
    if repository.count("/") != 1 or repository.startswith((".", "/", "~")):
        raise CheckpointError(
            f"{str(name)!r} is no directory, and a hub id has the form owner/name; give a checkpoint directory, "
            f"a hub id, an official size ({', '.join(OFFICIAL_SIZES)}), or {BUILT_IN!r} for the built-in model"
        )
    return _fetch(repository)


def _fetch(repository: str) -> Path:
    from huggingface_hub import snapshot_download  # slow to import, and needed only here

    try:
        return Path(snapshot_download(repository, allow_patterns=_FETCHED))
    except Exception as error:  # the hub client raises many unrelated kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise CheckpointError(
            f"{repository} could not be fetched from the hub ({reason}); check the name and the connection, "
            "or give a checkpoint directory"
        ) from error


def generation_defaults(directory: Path) -> Sampling:
    """Sampling settings of `generation_config.json`; greedy where there is none."""
    raw = _read(directory / "generation_config.json")
    if not raw.get("do_sample", False):
        return Sampling(repetition_penalty=raw.get("repetition_penalty") or 1.0)
    return Sampling(
        temperature=raw.get("temperature", 1.0),
        top_k=raw.get("top_k") or 0,
        top_p=raw.get("top_p") or 1.0,
        repetition_penalty=raw.get("repetition_penalty") or 1.0,
    )


def eos_token_ids(directory: Path, default: int) -> tuple[int, ...]:
    """Tokens that end an answer, by `generation_config.json`, else the `default`."""
    value = _read(directory / "generation_config.json").get("eos_token_id", default)
    return tuple(value) if isinstance(value, list) else (int(value),)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}); fetch the file again") from error
