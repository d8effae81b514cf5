"""JSON files of a checkpoint, read strictly: objects, sections and token ids."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from viewfinder.errors import CheckpointError


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of a checkpoint, without entries that are null (which say nothing). A `CheckpointError`
    if it is not readable, not JSON in UTF-8, no object, or has a key twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} stands twice")
        return found

    try:
        content = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=unique)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}); give the directory of a checkpoint"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}); fetch the file again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds {type(content).__name__}, expected an object; fetch the file again")
    return {key: value for key, value in cast("dict[str, Any]", content).items() if value is not None}


def section(raw: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    """The object under `key` without null entries, empty where there is none; a `CheckpointError` if it is another."""
    found = raw.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise CheckpointError(f"{where} has {key} {found!r}, expected an object; correct it")
    return {name: value for name, value in cast("dict[str, Any]", found).items() if value is not None}


def token_ids(value: Any, key: str, where: str) -> tuple[int, ...]:
    """One token id, a list of them, or null, as a tuple; a `CheckpointError` if it is anything else."""
    found: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [] if value is None else [value]
    if not all(type(item) is int and 0 <= item < 2**31 for item in found):
        raise CheckpointError(f"{where} has {key} {value!r}, expected a token id or a list of them; correct it")
    return tuple(found)
