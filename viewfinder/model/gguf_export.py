"""A GGUF pair written as llama.cpp's converter does: names, metadata and types of `model.gguf_model`, the other way.

Weights of the language model are of the type asked for, its norms and biases float32; where a row is no whole number of
blocks, float16. The table of tokens and the output projection are Q8_0 in a Q4_0 file (llama.cpp's own tool takes Q6_K,
which the `gguf` package cannot write). The tower keeps its weights in bfloat16, its patches' in float32.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from viewfinder.config import ModelConfig
from viewfinder.model.gguf_model import BLOCK, LAYER, OTHERS
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.storage.atomic import replacing


def write_pair(
    model: Qwen2_5_VL, directory: Path, kind: str, vocabulary: dict[str, Any], colors: dict[str, Any]
) -> None:
    """`model-KIND.gguf` and `mmproj-BF16.gguf`.

    Args:
        kind: one of `TYPES`.
        vocabulary: values of the `tokenizer.` keys.
        colors: `image_mean` and `image_std`.
    """
    import gguf

    config = model.config
    tensors = dict(_named(model))
    tower = _tower_fields(config) | {f"clip.vision.{key}": value for key, value in colors.items()}
    for file, arch, fields in (
        (f"model-{kind}.gguf", "qwen2vl", _language_fields(config) | vocabulary),
        ("mmproj-BF16.gguf", "clip", tower),
    ):
        with replacing(directory / file) as path:
            writer = gguf.GGUFWriter(path, arch)
            writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind if arch == 'qwen2vl' else 'BF16'}"])
            for key, value in fields.items():
                _add(writer, key, value)
            for there, tensor in tensors.items():
                if there.startswith(("v.", "mm.")) == (arch == "clip"):
                    array = tensor.detach().float().cpu().numpy()
                    stored = gguf.GGMLQuantizationType[_type_of(there, tensor, kind)]
                    writer.add_tensor(there, gguf.quantize(array, stored), raw_dtype=stored)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            path.chmod(0o644)


def _type_of(there: str, tensor: Tensor, kind: str) -> str:
    if tensor.dim() != 2:
        return "F32"
    if there.startswith(("v.", "mm.")):
        return "BF16"
    if kind in ("Q8_0", "Q4_0") and tensor.shape[1] % 32:
        return "F16"
    return "Q8_0" if kind == "Q4_0" and there in ("token_embd.weight", "output.weight") else kind


def _named(model: Qwen2_5_VL) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in model.named_parameters():
        stem, _, end = name.rpartition(".")
        parts = stem.split(".", 3)
        if name == "visual.patch_embed.proj.weight":
            yield "v.patch_embd.weight", tensor[:, :, 0]
            yield "v.patch_embd.weight.1", tensor[:, :, 1]
        elif stem in OTHERS:
            yield f"{OTHERS[stem]}.{end}", tensor
        elif stem.endswith("attn.qkv"):
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                yield f"v.blk.{parts[2]}.attn_{letter}.{end}", part
        elif parts[0] == "visual":
            yield f"v.blk.{parts[2]}.{BLOCK[parts[3]]}.{end}", tensor
        else:
            yield f"blk.{parts[2]}.{LAYER[parts[3]]}.{end}", tensor


def _language_fields(config: ModelConfig) -> dict[str, Any]:
    text = config.text
    return {
        "qwen2vl.block_count": text.num_hidden_layers,
        "qwen2vl.context_length": text.max_position_embeddings,
        "qwen2vl.embedding_length": text.hidden_size,
        "qwen2vl.feed_forward_length": text.intermediate_size,
        "qwen2vl.attention.head_count": text.num_attention_heads,
        "qwen2vl.attention.head_count_kv": text.num_key_value_heads,
        "qwen2vl.rope.dimension_sections": [*text.mrope_section, 0],
        "qwen2vl.rope.freq_base": text.rope_theta,
        "qwen2vl.attention.layer_norm_rms_epsilon": text.rms_norm_eps,
    }


def _tower_fields(config: ModelConfig) -> dict[str, Any]:
    vision = config.vision
    return {
        "clip.has_vision_encoder": True,
        "clip.projector_type": "qwen2.5vl_merger",
        "clip.use_silu": True,
        "clip.vision.projection_dim": vision.out_hidden_size,
        "clip.vision.image_size": 560,
        "clip.vision.patch_size": vision.patch_size,
        "clip.vision.embedding_length": vision.hidden_size,
        "clip.vision.feed_forward_length": vision.intermediate_size,
        "clip.vision.block_count": vision.depth,
        "clip.vision.attention.head_count": vision.num_heads,
        "clip.vision.n_wa_pattern": vision.fullatt_block_indexes[0] + 1,
        "clip.vision.attention.layer_norm_epsilon": 1e-6,
    }


def _add(writer: Any, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, list(value))
