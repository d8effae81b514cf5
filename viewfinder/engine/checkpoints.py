"""Where the files of a model are: the built-in model, a directory, or a repository of the hub.

Only configuration, tokenizer and safetensors files are downloaded, no code.
"""

import logging
import math
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from viewfinder.config import OFFICIAL_SIZES
from viewfinder.config_file import read_json, section, token_ids
from viewfinder.errors import CheckpointError
from viewfinder.messages import Sampling

BUILT_IN = "tiny"
_FETCHED = ["*.json", "*.safetensors", "*.jinja", "merges.txt"]
_FILE = "generation_config.json"
_SAMPLING = ("temperature", "top_k", "top_p", "repetition_penalty")
_NEUTRAL = {"num_beams": 1, "num_beam_groups": 1, "num_return_sequences": 1, "typical_p": 1.0, "min_p": 0}
_INERT = (
    "do_sample eos_token_id bos_token_id pad_token_id decoder_start_token_id transformers_version _from_model_config "
    "use_cache max_length min_length early_stopping attn_implementation output_attentions output_hidden_states "
    "output_scores output_logits return_dict_in_generate cache_implementation compile_config"
)
_LOG = logging.getLogger(__name__)


def find_checkpoint(name: str | Path) -> Path:
    """The directory of a model given as `tiny`, a checkpoint or run directory, an official size, a hub id, or GGUF
    files (`FILE.gguf`, or `FILE.gguf,MMPROJ.gguf` where the tower's is not the only one beside it).

    A size or hub id may name a revision, which is a commit, tag or branch: `owner/name@1a2b3c4`. Only a commit never
    changes.

    Raises:
        CheckpointError: no such directory or repository, or the hub cannot be reached.
    """
    if str(name) == BUILT_IN:
        return Path(__file__).parent.parent / "weights" / BUILT_IN
    path = Path(name).expanduser()
    if path.is_dir():
        export = path / "export"  # of a training run, whose own config.json is of the training
        if (export / "config.json").is_file():
            return export
        packed = [] if (path / "config.json").is_file() else sorted(path.glob("*.gguf"))
        language = [file for file in packed if "mmproj" not in file.name]
        if not language:
            return path
        if len(language) > 1 and "-00001-of-" not in language[0].name:
            raise CheckpointError(
                f"{path} holds several models ({', '.join(file.name for file in language)}); name the one to load"
            )
        path = language[0]
    if path.suffix.lower() == ".gguf":
        from viewfinder.engine.gguf_checkpoint import gguf_directory

        language, _, tower = str(path).partition(".gguf,")
        return gguf_directory(Path(f"{language}.gguf"), Path(tower)) if tower else gguf_directory(path)
    given, _, revision = str(name).partition("@")
    repository = f"Qwen/Qwen2.5-VL-{given}-Instruct" if given in OFFICIAL_SIZES else given
    if repository.count("/") != 1 or repository.startswith((".", "/", "~")):
        raise CheckpointError(
            f"{str(name)!r} is no directory, and a hub id has the form owner/name; give a checkpoint directory, "
            f"a hub id, an official size ({', '.join(OFFICIAL_SIZES)}), or {BUILT_IN!r} for the built-in model"
        )
    return _fetch(repository, revision or None)


def _fetch(repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download  # slow to import, and needed only here

    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=_FETCHED))
    except Exception as error:  # the hub client raises many unrelated kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise CheckpointError(
            f"{repository} could not be fetched from the hub ({reason}); check the name, revision and connection, "
            "or give a checkpoint directory"
        ) from error


def generation_defaults(directory: Path) -> Sampling:
    """Sampling settings of `generation_config.json`; greedy where there is none or `do_sample` is not set.

    Raises:
        CheckpointError: a value has the wrong type or range; the message names the key.
    """
    raw = _generation_config(directory)
    if not isinstance(sampled := raw.get("do_sample", False), bool):
        raise CheckpointError(f"{directory / _FILE} has do_sample {sampled!r}, expected true or false")
    values = {name: raw[name] for name in (*_SAMPLING, "max_new_tokens") if name in raw}
    for name, value in values.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise CheckpointError(f"{directory / _FILE} has {name} {value!r}, expected a number; correct it")
    if values.get("top_k") == -1:  # as vLLM writes "all"
        values["top_k"] = 0
    try:
        checked = Sampling(**{"temperature": 1.0, **values})
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        raise CheckpointError(
            f"{directory / _FILE} has {key} {raw.get(key)!r}: {problem['msg']}; correct it"
        ) from error
    neutral = {"temperature": 0.0, "top_k": 0, "top_p": 1.0}
    _say_unknown(directory, raw)
    return checked if sampled else checked.model_copy(update=neutral)


def _say_unknown(directory: Path, raw: dict[str, Any]) -> None:
    inert = {*_INERT.split(), *_SAMPLING, "max_new_tokens"}
    unknown = [f"{k} {v!r}" for k, v in raw.items() if k not in inert and v not in (_NEUTRAL.get(k, False), False, 0)]
    if unknown:
        _LOG.warning("%s has keys without effect here: %s", directory / _FILE, ", ".join(unknown))


def eos_token_ids(directory: Path, default: int) -> tuple[int, ...]:
    """Tokens that end an answer, by `generation_config.json`, else by `config.json`, else the `default`.

    Raises:
        CheckpointError: the value is not a token id or a list of them.
    """
    if found := token_ids(_generation_config(directory).get("eos_token_id"), "eos_token_id", _FILE):
        return found
    path = directory / "config.json"
    raw = read_json(path) if path.is_file() else {}
    for level in (raw, section(raw, "text_config", path.name)):
        if found := token_ids(level.get("eos_token_id"), "eos_token_id", path.name):
            return found
    return (default,)


def _generation_config(directory: Path) -> dict[str, Any]:
    path = directory / _FILE
    return read_json(path) if path.is_file() else {}
