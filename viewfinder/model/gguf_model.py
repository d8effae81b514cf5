"""A GGUF pair as llama.cpp's converter writes it for this model: the language model, and the tower (`mmproj`).

    here                                      there (dimensions are stored reversed; rows stay in their order)
    model.embed_tokens, model.norm            token_embd, output_norm        lm_head: output, absent where tied
    model.layers.N.self_attn.q_proj, ...      blk.N.attn_q, attn_k, attn_v, attn_output, or attn_qkv for three
    model.layers.N.mlp.gate_proj, ...         blk.N.ffn_gate, ffn_up, ffn_down
    visual.blocks.N.attn.qkv, proj            v.blk.N.attn_q, attn_k, attn_v; attn_out
    visual.blocks.N.mlp.gate_proj, ...        v.blk.N.ffn_gate, ffn_up, ffn_down (up and down change names in old files)
    visual.patch_embed.proj (two frames)      v.patch_embd.weight and v.patch_embd.weight.1, one frame each
    visual.merger.ln_q, mlp.0, mlp.2          v.post_ln, mm.0, mm.2

Rows of queries and keys are not permuted, as Llama's are: both sides rotate halves. The window of 112 pixels and the
merging of 2 x 2 patches are nowhere in the files. Read off llama.cpp of 2026-10-01 (`conversion/qwenvl.py`,
`tools/mtmd/clip.cpp`) and off files that it wrote.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from viewfinder.config import ModelConfig
from viewfinder.errors import CheckpointError
from viewfinder.model.gguf_files import GgufFile, PackedTensor, unpack

LAYER = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
BLOCK = {
    "attn.qkv": "attn_qkv",
    "attn.proj": "attn_out",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "norm1": "ln1",
    "norm2": "ln2",
}
OTHERS = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "visual.merger.ln_q": "v.post_ln",
    "visual.merger.mlp.0": "mm.0",
    "visual.merger.mlp.2": "mm.2",
    "visual.patch_embed.proj": "v.patch_embd",
}
_NUMBERED = re.compile(r"(v\.)?blk\.(\d+)\.(.+)\.(weight|bias)")
_PROJECTOR = "qwen2.5vl_merger"
_SWAP = {"mlp.up_proj": "mlp.down_proj", "mlp.down_proj": "mlp.up_proj"}


def open_pair(directory: Path) -> list[GgufFile]:
    """The language model's file or files (a model may be split over several) and the tower's, of a directory.

    Raises:
        CheckpointError: there is no such pair, or more than one.
    """
    files = [GgufFile(path) for path in sorted(directory.glob("*.gguf"))]
    kinds = {kind: [f for f in files if _kind(f) == kind] for kind in {_kind(f) for f in files}}
    language, towers = kinds.get("qwen2vl", []), kinds.get("clip", [])
    splits = max((file.fields.get("split.count", 1) for file in language), default=1)
    if len(towers) != 1 or not 1 <= len(language) <= splits or len(language) != splits:
        found = ", ".join(f"{f.path.name} ({_kind(f)})" for f in files) or "none"
        raise CheckpointError(
            f"{directory} holds the GGUF files {found}; expected one language model (qwen2vl; all of its parts, if it "
            "is split) and one tower (clip, called mmproj): name the two with --model FILE --mmproj FILE"
        )
    projector = towers[0].fields.get("clip.projector_type", towers[0].fields.get("clip.vision.projector_type"))
    if projector != _PROJECTOR:
        raise CheckpointError(
            f"{towers[0].path} is the tower of another model ({projector!r}, expected {_PROJECTOR!r}); take the mmproj "
            "file that was made with the language model"
        )
    return [*language, *towers]


def _kind(file: GgufFile) -> str:
    return str(file.fields.get("general.architecture", "qwen2vl" if "split.no" in file.fields else "unnamed"))


def pair_config(files: Sequence[GgufFile]) -> ModelConfig:
    """What the metadata and shapes of a pair say of the model."""
    fields: dict[str, Any] = {key: value for file in reversed(files) for key, value in file.fields.items()}
    tensors = _tensors(files)
    try:
        depth, pattern = fields["clip.vision.block_count"], fields["clip.vision.n_wa_pattern"]
        names: list[str] = fields["tokenizer.ggml.tokens"]
        ids = {name: i for i, name in enumerate(names)}
        raw = {
            "model_type": "qwen2_5_vl",
            "vocab_size": tensors["token_embd.weight"].shape[0],
            "hidden_size": fields["qwen2vl.embedding_length"],
            "intermediate_size": fields["qwen2vl.feed_forward_length"],
            "num_hidden_layers": fields["qwen2vl.block_count"],
            "num_attention_heads": fields["qwen2vl.attention.head_count"],
            "num_key_value_heads": fields["qwen2vl.attention.head_count_kv"],
            "max_position_embeddings": fields["qwen2vl.context_length"],
            "rms_norm_eps": float(f"{fields['qwen2vl.attention.layer_norm_rms_epsilon']:.6g}"),
            "rope_theta": fields.get("qwen2vl.rope.freq_base", 1e6),
            "rope_scaling": {"type": "mrope", "mrope_section": fields["qwen2vl.rope.dimension_sections"][:3]},
            "tie_word_embeddings": "output.weight" not in tensors,
            "vision_config": {
                "depth": depth,
                "hidden_size": fields["clip.vision.embedding_length"],
                "num_heads": fields["clip.vision.attention.head_count"],
                "intermediate_size": tensors["v.blk.0.ffn_gate.weight"].shape[0],
                "out_hidden_size": fields["clip.vision.projection_dim"],
                "fullatt_block_indexes": [*range(pattern - 1, depth, pattern)],
                "tokens_per_second": 2,
            },
            "image_token_id": ids["<|image_pad|>"],
            "video_token_id": ids["<|video_pad|>"],
            "vision_start_token_id": ids["<|vision_start|>"],
            "vision_end_token_id": ids["<|vision_end|>"],
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": fields.get("tokenizer.ggml.eos_token_id", ids["<|im_end|>"]),
        }
    except (KeyError, TypeError, IndexError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(
            f"{files[0].path} and {files[-1].path} do not say what the model is ({error!r} is missing or wrong); make "
            "them again with llama.cpp's converter"
        ) from error
    return ModelConfig.from_dict(raw)


def pair_tensors(files: Sequence[GgufFile]) -> Iterator[tuple[str, Tensor]]:
    """The weights of a pair by their names here. Packed ones are float32; a name that is unknown stays as it is."""
    tensors = _tensors(files)
    heads = {key: value for file in files for key, value in file.fields.items() if ".attention." in key}
    swapped = _is_swapped(tensors)
    waiting: dict[str, list[str]] = {}
    for there in tensors:
        if there != "rope_freqs.weight":
            waiting.setdefault(name_here(there, swapped), []).append(there)
    for here, parts in waiting.items():
        found = [unpack(tensors[part]) for part in sorted(parts)]  # k, q, v; frame 0, frame 1
        if here == "visual.patch_embed.proj.weight":
            yield here, torch.stack(found, dim=2)
        elif ".attn.qkv." in here and len(found) == 3:
            yield here, torch.cat([found[1], found[0], found[2]])
        elif ".attn_qkv." in here:
            yield from _split(here, found[0], heads)
        else:
            yield here, found[0]


def _split(there: str, joined: Tensor, fields: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Queries, keys and values of a language model whose three are one: 6 heads with 2 of keys are 6, 2 and 2 parts."""
    num_heads, num_kv = fields["qwen2vl.attention.head_count"], fields["qwen2vl.attention.head_count_kv"]
    head = len(joined) // (num_heads + 2 * num_kv)
    sizes = [num_heads * head, num_kv * head, num_kv * head]
    for letter, part in zip("qkv", joined.split(sizes), strict=True):
        yield name_here(there.replace("attn_qkv", f"attn_{letter}")), part


def _tensors(files: Sequence[GgufFile]) -> dict[str, PackedTensor]:
    return {name: tensor for file in files for name, tensor in file.tensors.items()}


def _is_swapped(tensors: Mapping[str, PackedTensor]) -> bool:
    """Whether the tower's `ffn_down` is what goes up: files of spring 2025 have it so."""
    down, gate = (tensors.get(f"v.blk.0.ffn_{name}.weight") for name in ("down", "gate"))
    return down is not None and gate is not None and down.shape == gate.shape and down.shape[0] != down.shape[1]


def name_here(there: str, swapped: bool = False) -> str:
    """`blk.3.attn_q.bias` to `model.layers.3.self_attn.q_proj.bias`; a name that is not known as it is."""
    match = _NUMBERED.fullmatch(there)
    if match is None:
        stem, _, kind = there.removesuffix(".1").rpartition(".")
        return next((f"{here}.{kind}" for here, name in OTHERS.items() if name == stem), there)
    tower, number, stem, kind = match.groups()
    if tower and stem in ("attn_q", "attn_k", "attn_v"):
        stem = "attn_qkv"
    here = next((here for here, name in (BLOCK if tower else LAYER).items() if name == stem), None)
    if here is None:
        return there
    here = _SWAP.get(here, here) if tower and swapped else here
    return f"{'visual.blocks' if tower else 'model.layers'}.{number}.{here}.{kind}"
