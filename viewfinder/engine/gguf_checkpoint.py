"""A pair of GGUF files as a checkpoint directory: links to the files, and the JSON files that such a directory has.

Configuration, vocabulary, chat template and normalization come from the metadata. GGUF files do not hold pixel
budgets, the sampling of clips or the decoding settings; these are as in the released checkpoints. A JSON file beside
the language model (`tokenizer.json`, `preprocessor_config.json`, ...) takes precedence over all this.
"""

import atexit
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, models

from viewfinder.errors import CheckpointError
from viewfinder.model.gguf_files import GgufFile
from viewfinder.model.gguf_model import open_pair, pair_config
from viewfinder.processor.patchify import IMAGE_MEAN, IMAGE_STD
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.processor.tokenizer import Tokenizer
from viewfinder.processor.vocabulary import MARKUP_TOKENS, byte_level

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5
_USED = (_NORMAL, _CONTROL, _USER_DEFINED)
_BESIDE = ("*.json", "*.jinja", "merges.txt")


def gguf_directory(language: Path, tower: Path | None = None) -> Path:
    """A checkpoint directory with the pair; it is removed when this process ends.

    Args:
        language: the language model, or the first part of one that is split.
        tower: its `mmproj` file; with None the one beside it.

    Raises:
        CheckpointError: a file is missing, or the two files do not belong together.
    """
    for path in (language, tower):
        if path is not None and not path.is_file():
            raise CheckpointError(f"{path} is no file; give the GGUF files of the language model and of its tower")
    tower = tower or _tower_beside(language)
    directory = Path(tempfile.mkdtemp(prefix="viewfinder-gguf-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    start, _, _ = language.name.partition("-00001-of-")
    parts = sorted(language.parent.glob(f"{start}-*-of-*.gguf")) if start != language.name else [language]
    for path in {*parts, tower}:
        (directory / path.name).symlink_to(path.resolve())
    for path in (path for pattern in _BESIDE for path in language.parent.glob(pattern)):
        (directory / path.name).symlink_to(path.resolve())
    files = open_pair(directory)
    if not (directory / "config.json").exists():
        _write_json(directory / "config.json", pair_config(files).to_dict() | {"torch_dtype": "bfloat16"})
    if not (directory / "tokenizer.json").exists():
        gguf_tokenizer(files[0]).backend.save(str(directory / "tokenizer.json"))
        if template := files[0].fields.get("tokenizer.chat_template"):
            (directory / "chat_template.json").unlink(missing_ok=True)
            _write_json(directory / "chat_template.json", {"chat_template": template})
    if not any((directory / name).exists() for name in ("preprocessor_config.json", "processor_config.json")):
        settings = ProcessorSettings().with_(
            image_mean=_exact(files[-1].fields.get("clip.vision.image_mean"), IMAGE_MEAN),
            image_std=_exact(files[-1].fields.get("clip.vision.image_std"), IMAGE_STD),
        )
        _write_json(directory / "preprocessor_config.json", settings.to_dict())
    return directory


def _tower_beside(language: Path) -> Path:
    found = sorted(language.parent.glob("*mmproj*.gguf"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise CheckpointError(
            f"beside {language} stand these towers: {names}; one is needed for pictures, so name it with --mmproj FILE"
        )
    return found[0]


def gguf_tokenizer(file: GgufFile) -> Tokenizer:
    """The vocabulary of a language model's metadata, with the ids that it has there.

    Raises:
        CheckpointError: it is not byte-level BPE with the pre-tokenizer of Qwen2.
    """
    fields = file.fields
    kind, cut = (fields.get(f"tokenizer.ggml.{name}") for name in ("model", "pre"))
    if (kind, cut) != ("gpt2", "qwen2"):
        raise CheckpointError(
            f"{file.path} has a vocabulary of kind {kind!r} cut as {cut!r}, expected 'gpt2' and 'qwen2'; put the "
            "tokenizer.json of the model beside it"
        )
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    kinds: list[int] = fields["tokenizer.ggml.token_type"]
    # An added token of the base vocabulary keeps its id. No merge gives it, so text is never encoded as it.
    known = {token: i for i, (token, kind) in enumerate(zip(tokens, kinds, strict=True)) if kind in _USED}
    merges = [tuple(pair.split(" ", 1)) for pair in fields.get("tokenizer.ggml.merges", ())]
    backend = byte_level(models.BPE(known, merges))
    for token, i in known.items():
        if kinds[i] != _NORMAL:
            special = kinds[i] == _CONTROL and token not in MARKUP_TOKENS  # the converter takes <|fim_pad|> for control
            added = AddedToken(token, normalized=False, special=special)
            (backend.add_special_tokens if special else backend.add_tokens)([added])
    return Tokenizer(backend)


def gguf_vocabulary(tokenizer: Tokenizer, size: int) -> dict[str, Any]:
    """Values of the `tokenizer.` keys, for a table of `size` rows; as llama.cpp's converter fills them."""
    backend = tokenizer.backend
    by_id = {i: token for token, i in backend.get_vocab().items()}
    added = backend.get_added_tokens_decoder()

    def kind(i: int) -> int:
        if i not in by_id:
            return _UNUSED
        if i not in added:
            return _NORMAL
        looks_special = by_id[i].startswith("<|") and by_id[i].endswith("|>")
        return _CONTROL if added[i].special or looks_special else _USER_DEFINED

    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": [by_id.get(i, f"[PAD{i}]") for i in range(size)],
        "tokenizer.ggml.token_type": [kind(i) for i in range(size)],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in json.loads(backend.to_str())["model"]["merges"]],
        "tokenizer.ggml.eos_token_id": tokenizer.token_id("<|im_end|>"),
        "tokenizer.ggml.padding_token_id": tokenizer.token_id("<|endoftext|>"),
        "tokenizer.ggml.add_bos_token": False,
    }


def _exact(found: list[float] | None, official: tuple[float, ...]) -> tuple[float, ...]:
    """Files hold these as float32: 0.48145467 is the official 0.48145466."""
    same = found is None or np.array_equal(np.array(found, np.float32), np.array(official, np.float32))
    return official if same else tuple(found or ())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
