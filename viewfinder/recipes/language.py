"""A pretrained text-only language model for a run to start from (report, section 2.2.1: stage one starts from Qwen2.5).

Reads Qwen2 and Llama layouts, from a directory of the official files or from one GGUF file (Llama's and Qwen2's
names there), and gives what `Qwen2_5_VL` needs: sizes, official names, and a tokenizer that has the prompt's special
tokens. With the three position ids of a text token equal, MRoPE is the rotation that these models were trained with, so
text keeps its logits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers
from torch import Tensor

from viewfinder.config import TextConfig
from viewfinder.config_file import read_json
from viewfinder.errors import CheckpointError
from viewfinder.model.gguf_files import GgufFile, unpack
from viewfinder.model.gguf_model import name_here
from viewfinder.model.weight_files import read_tensors
from viewfinder.processor.tokenizer import Tokenizer
from viewfinder.processor.vocabulary import add_special_tokens, byte_level

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
_BLANK = {"hidden_act": "silu", "mlp_bias": False, "use_sliding_window": False, "rope_scaling": None}


@dataclass(frozen=True)
class LanguageModel:
    """A language model on disk.

    Attributes:
        source: directory or GGUF file.
        config: sizes; `vocab_size` has room for the special tokens that the source lacks.
        tokenizer: of the source, the prompt's special tokens among or after its own.
        own_rows: rows of its own embedding table.
    """

    source: Path
    config: TextConfig
    tokenizer: Tokenizer
    own_rows: int

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """All weights by official names in float32; biases that the layout lacks are zeros, embeddings of new tokens
        the mean of all (Hewitt, 2021: the old tokens keep nearly all probability)."""
        missing = {
            f"model.layers.{i}.self_attn.{part}_proj.bias": width
            for i in range(self.config.num_hidden_layers)
            for part, width in self._projections().items()
        }
        for name, tensor in _read(self.source, self.config):
            missing.pop(name, None)
            if name in (EMBEDDING, HEAD) and len(tensor) < self.config.vocab_size:
                new = tensor.mean(0, keepdim=True).expand(self.config.vocab_size - len(tensor), -1)
                tensor = torch.cat([tensor, new])
            yield name, tensor
        yield from ((name, torch.zeros(width)) for name, width in missing.items())

    def _projections(self) -> dict[str, int]:
        kv = self.config.num_key_value_heads * self.config.head_dim
        return {"q": self.config.hidden_size, "k": kv, "v": kv}


def open_language(source: str | Path) -> LanguageModel:
    """Sizes and tokenizer of a Qwen2 or Llama model; weights are read later.

    Raises:
        CheckpointError: not such a model, or one with parts that are not computed here (other position scaling, biases
            in the feed-forward layers, norms of queries and keys).
    """
    source = Path(source)
    if source.suffix == ".gguf":
        raw, backend = _gguf_config(source), _gguf_tokenizer(source)
    else:
        if not source.is_dir():
            raise CheckpointError(f"{source} is no directory; give a model's directory, or one .gguf file")
        raw = read_json(source / "config.json")
        if not (source / "tokenizer.json").is_file():
            raise CheckpointError(f"{source} has no tokenizer.json, without which its token ids mean nothing; fetch it")
        backend = Backend.from_file(str(source / "tokenizer.json"))
    tokenizer = Tokenizer(add_special_tokens(backend))
    rows = int(raw["vocab_size"])
    return LanguageModel(source, _text_config(raw, source, max(rows, len(tokenizer))), tokenizer, rows)


def read_into(model: torch.nn.Module, language: LanguageModel) -> None:
    """Copy the weights into the language model of a `Qwen2_5_VL` of the same sizes.

    Raises:
        CheckpointError: a tensor is missing, unknown or has another shape.
    """
    wanted = {n: p for n, p in model.named_parameters() if not n.startswith("visual.")}
    with torch.no_grad():
        for name, tensor in language.tensors():
            target = wanted.pop(name, None)
            if target is None and name == HEAD and language.config.tie_word_embeddings:
                continue  # a copy of the embedding table
            if target is None or target.shape != tensor.shape:
                found = "is not part of this layout" if target is None else f"has shape {list(tensor.shape)}"
                raise CheckpointError(
                    f"{name} of {language.source} {found}; give a Qwen2 or Llama model of one file set"
                )
            target.copy_(tensor)
    if wanted:
        raise CheckpointError(
            f"{language.source} lacks {len(wanted)} tensors that its sizes ask for (first: {next(iter(wanted))}); "
            "fetch it again"
        )


def _text_config(raw: Mapping[str, Any], source: Path, vocab_size: int) -> TextConfig:
    kind = raw.get("model_type")
    _check_layout(kind, source)
    odd = {name: raw[name] for name, plain in _BLANK.items() if raw.get(name, plain) != plain}
    if kind == "llama" and raw.get("attention_bias"):
        odd["attention_bias"] = True
    if odd:
        raise CheckpointError(f"{source} sets {odd}, which this language model does not compute; give another model")
    half = int(raw.get("head_dim") or raw["hidden_size"] // raw["num_attention_heads"]) // 2
    known = {name: raw[name] for name in TextConfig.model_fields if raw.get(name) is not None}
    known.setdefault("num_key_value_heads", raw["num_attention_heads"])
    return TextConfig(**{**known, "vocab_size": vocab_size, "mrope_section": _sections(half)})


def _check_layout(kind: object, source: Path) -> None:
    if kind not in ("qwen2", "llama"):
        raise CheckpointError(f"{source} is a {kind!r} model; a run can start from the layouts 'qwen2' and 'llama'")


def _sections(half: int) -> tuple[int, int, int]:
    """The official shares of 16, 24 and 24 of 64 frequencies: 32 of them are 8, 12 and 12."""
    width = half * 3 // 8
    return half - 2 * width, width, width


def _read(source: Path, config: TextConfig) -> Iterator[tuple[str, Tensor]]:
    if source.suffix != ".gguf":
        yield from ((name, tensor.float()) for name, tensor in read_tensors(source))
        return
    file = GgufFile(source)
    is_llama = file.fields["general.architecture"] == "llama"
    for there, tensor in file.tensors.items():
        name = name_here(there)
        if name == there:
            continue  # derived tables, such as rope_freqs
        value = unpack(tensor).float()
        if is_llama and (".q_proj." in name or ".k_proj." in name):
            value = _unpermute(value, config.head_dim)
        yield name, value


def _unpermute(rows: Tensor, head_dim: int) -> Tensor:
    """Rows of queries or keys in the checkpoint's order: llama.cpp rotates neighbors, and its converter interleaves the
    halves of a Llama head, so of 4 rows a, b, c, d the file has a, c, b, d. (It leaves a Qwen2 head as it is.)"""
    pairs = rows.reshape(-1, head_dim // 2, 2, *rows.shape[1:])
    return pairs.transpose(1, 2).reshape(rows.shape)


def _gguf_config(path: Path) -> dict[str, Any]:
    """The file's keys under the names of config.json."""
    file = GgufFile(path)
    values = file.fields
    arch = values.get("general.architecture")
    _check_layout(arch, path)
    names = {
        "hidden_size": "embedding_length",
        "intermediate_size": "feed_forward_length",
        "num_hidden_layers": "block_count",
        "num_attention_heads": "attention.head_count",
        "num_key_value_heads": "attention.head_count_kv",
        "max_position_embeddings": "context_length",
        "rms_norm_eps": "attention.layer_norm_rms_epsilon",
        "rope_theta": "rope.freq_base",
    }
    found = {name: values[f"{arch}.{key}"] for name, key in names.items() if f"{arch}.{key}" in values}
    scaling = values.get(f"{arch}.rope.scaling.type", "none")
    return found | {
        "model_type": arch,
        "vocab_size": file.tensors["token_embd.weight"].shape[0],
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "rope_scaling": None if scaling == "none" and "rope_freqs.weight" not in file.tensors else scaling,
    }


def _gguf_tokenizer(path: Path) -> Backend:
    fields = GgufFile(path).fields
    model, cut = (fields[f"tokenizer.ggml.{name}"] for name in ("model", "pre"))
    if model != "gpt2" or cut not in ("qwen2", "smollm"):
        raise CheckpointError(
            f"{path} cuts text as {model!r} with {cut!r}; of GGUF files the byte-level cuts 'qwen2' and 'smollm' are "
            "read: give the model's directory with its tokenizer.json"
        )
    tokens, kinds, merges = (fields[f"tokenizer.ggml.{n}"] for n in ("tokens", "token_type", "merges"))
    bpe = models.BPE({token: i for i, token in enumerate(tokens)}, [tuple(pair.split(" ", 1)) for pair in merges])
    backend = byte_level(bpe)
    if cut == "smollm":
        backend = Backend(bpe)
        digits, level = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, level])
        backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([token for token, kind in zip(tokens, kinds, strict=True) if kind == 3])
    return backend
