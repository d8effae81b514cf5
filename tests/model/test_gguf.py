"""GGUF pairs load as what their blocks stand for. They are written by the `gguf` package, under the names that its maps
(those of llama.cpp's converter) give; the tower's joined tensors are split as the converter splits them."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import random_model
from viewfinder.config import ModelConfig, TextConfig, VisionConfig
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.engine.engine import Engine
from viewfinder.errors import CheckpointError
from viewfinder.model import Qwen2_5_VL, load_model
from viewfinder.model.gguf_files import GgufFile, PackedTensor, unpack
from viewfinder.processor.tokenizer import Tokenizer

Kind = gguf.GGMLQuantizationType
KINDS = [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q6_K, Kind.Q5_K, Kind.Q4_K, Kind.Q4_0]


def config_for(tokenizer: Tokenizer, *, tied: bool = True) -> ModelConfig:
    """Widths that blocks of 256 divide, but for one of the tower, which the converter then leaves in F16."""
    return ModelConfig(
        vision=VisionConfig(
            depth=3, hidden_size=256, num_heads=4, intermediate_size=44, out_hidden_size=256, fullatt_block_indexes=(1,)
        ),
        text=TextConfig(
            vocab_size=tokenizer.vocab_size + 3,
            hidden_size=256,
            intermediate_size=512,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            mrope_section=(8, 12, 12),
            tie_word_embeddings=tied,
            max_position_embeddings=4096,
        ),
        **{
            f"{name}_token_id": tokenizer.token_id(f"<|{token}|>")
            for name, token in (
                *(("image", "image_pad"), ("video", "video_pad"), ("vision_start", "vision_start")),
                *(("vision_end", "vision_end"), ("bos", "endoftext"), ("eos", "im_end")),
            )
        },
    )


def packed(weight: Tensor, kind: Kind) -> tuple[np.ndarray, Kind, Tensor]:
    """A weight in blocks, and what they stand for. The package cannot write the K types: blocks of these are drawn."""
    array = weight.detach().float().numpy()
    if array.ndim != 2 or (array.shape[1] % 256 and kind not in (Kind.F32, Kind.F16, Kind.BF16)):
        kind = Kind.F32 if array.ndim != 2 else Kind.F16
    size, num_bytes = gguf.GGML_QUANT_SIZES[kind]
    if kind in (Kind.Q4_K, Kind.Q5_K, Kind.Q6_K):
        blocks = np.random.default_rng(array.size).integers(0, 255, (array.size // size, num_bytes), np.uint8)
        scale = np.array([0.001, 0.002], np.float16).view(np.uint8)
        blocks[:, -2:] = scale[:2]
        if kind != Kind.Q6_K:
            blocks[:, :4] = scale
        data = blocks.reshape(len(array), -1)
    else:
        data = gguf.quantize(array, kind)
    return data, kind, torch.from_numpy(gguf.dequantize(data, kind).reshape(array.shape).copy())


def write_pair(
    model: Qwen2_5_VL, tokenizer: Tokenizer, folder: Path, kind: Kind, *, swap: bool = False
) -> dict[str, Tensor]:
    """Both files, and the weights that they stand for."""
    text, vision = model.config.text, model.config.vision
    language = gguf.GGUFWriter(folder / "model.gguf", "qwen2vl")
    language.add_block_count(text.num_hidden_layers)
    language.add_context_length(text.max_position_embeddings)
    language.add_embedding_length(text.hidden_size)
    language.add_feed_forward_length(text.intermediate_size)
    language.add_head_count(text.num_attention_heads)
    language.add_head_count_kv(text.num_key_value_heads)
    language.add_layer_norm_rms_eps(text.rms_norm_eps)
    language.add_rope_freq_base(text.rope_theta)
    language.add_rope_dimension_sections([*text.mrope_section, 0])
    add_vocabulary(language, tokenizer, text.vocab_size)
    tower = gguf.GGUFWriter(folder / "mmproj.gguf", "clip")
    tower.add_clip_projector_type(gguf.VisionProjectorType.QWEN25VL)
    tower.add_vision_projection_dim(vision.out_hidden_size)
    tower.add_vision_embedding_length(vision.hidden_size)
    tower.add_vision_feed_forward_length(vision.intermediate_size)
    tower.add_vision_block_count(vision.depth)
    tower.add_vision_head_count(vision.num_heads)
    tower.add_vision_n_wa_pattern(vision.fullatt_block_indexes[0] + 1)
    tower.add_vision_image_mean([0.48145466, 0.4578275, 0.40821073])
    tower.add_vision_image_std([0.26862954, 0.26130258, 0.27577711])
    maps = [
        gguf.get_tensor_name_map(arch, text.num_hidden_layers + vision.depth)
        for arch in (gguf.MODEL_ARCH.QWEN2VL, gguf.MODEL_ARCH.MMPROJ)
    ]
    expected: dict[str, Tensor] = {}
    for name, weight in model.named_parameters():
        is_tower = name.startswith("visual.")
        found: list[Tensor] = []
        for there, part in split_as_converter(name, weight):
            mapped = there if there.startswith("v.") else maps[is_tower].get_name(there, (".weight", ".bias"))
            assert mapped is not None, there
            if swap and is_tower:
                mapped = mapped.replace("ffn_up", "X").replace("ffn_down", "ffn_up").replace("X", "ffn_down")
            data, stored, meant = packed(part, kind)
            (tower if is_tower else language).add_tensor(mapped, data, raw_dtype=stored)
            found.append(meant)
        expected[name] = torch.stack(found, 2) if "patch_embed" in name else torch.cat(found)
    for writer in (language, tower):
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return expected


def split_as_converter(name: str, weight: Tensor) -> list[tuple[str, Tensor]]:
    if ".qkv." in name:
        return [(name.replace("qkv", part), w) for part, w in zip("qkv", weight.chunk(3), strict=True)]
    if "patch_embed" in name:
        return [("v.patch_embd.weight", weight[:, :, 0]), ("v.patch_embd.weight.1", weight[:, :, 1])]
    return [(name, weight)]


def add_vocabulary(writer: Any, tokenizer: Tokenizer, size: int) -> None:
    added = tokenizer.backend.get_added_tokens_decoder()
    by_id = {i: token for token, i in tokenizer.backend.get_vocab().items()}
    names = [by_id.get(i, f"[PAD{i}]") for i in range(size)]
    kinds = [
        5 if i not in by_id else 1 if i not in added else 3 if added[i].special or added[i].content[:2] == "<|" else 4
        for i in range(size)
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(names)
    writer.add_token_types(kinds)
    merges = json.loads(tokenizer.backend.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(tokenizer.token_id("<|im_end|>"))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["one two three two three three"] * 3, 286)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_a_pair_of_each_type(tmp_path: Path, tokenizer: Tokenizer, kind: Kind) -> None:
    model = random_model(config_for(tokenizer, tied=kind != Kind.Q8_0))
    expected = write_pair(model, tokenizer, tmp_path, kind)
    loaded = load_model(find_checkpoint(tmp_path), dtype=torch.float32)
    assert loaded.config == model.config
    found = dict(loaded.named_parameters())
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_weights_are_rounded_once_to_bfloat16(tmp_path: Path, tokenizer: Tokenizer) -> None:
    expected = write_pair(random_model(config_for(tokenizer)), tokenizer, tmp_path, Kind.Q4_K)
    found = load_model(find_checkpoint(tmp_path)).state_dict()
    assert all(torch.equal(found[name], weight.to(torch.bfloat16)) for name, weight in expected.items())


def test_old_files_call_up_what_is_down(tmp_path: Path, tokenizer: Tokenizer) -> None:
    expected = write_pair(random_model(config_for(tokenizer)), tokenizer, tmp_path, Kind.F32, swap=True)
    found = load_model(find_checkpoint(tmp_path), dtype=torch.float32).state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_the_vocabulary_of_the_file(tmp_path: Path, tokenizer: Tokenizer) -> None:
    write_pair(random_model(config_for(tokenizer)), tokenizer, tmp_path, Kind.Q8_0)
    engine = Engine.from_pretrained(f"{tmp_path}/model.gguf,{tmp_path}/mmproj.gguf")
    again = engine.processor.tokenizer
    assert again.fingerprint == tokenizer.fingerprint
    assert again.encode("<|im_end|> a") == tokenizer.encode("<|im_end|> a")
    assert engine.eos_token_ids == (tokenizer.token_id("<|im_end|>"),)


def test_the_head_is_read_as_by_the_package(tmp_path: Path, tokenizer: Tokenizer) -> None:
    write_pair(random_model(config_for(tokenizer)), tokenizer, tmp_path, Kind.Q6_K)
    for name in ("model.gguf", "mmproj.gguf"):
        ours, theirs = GgufFile(tmp_path / name), gguf.GGUFReader(tmp_path / name)
        fields = {key: field.contents() for key, field in theirs.fields.items() if not key.startswith("GGUF.")}
        assert ours.fields == fields
        assert [*ours.tensors] == [tensor.name for tensor in theirs.tensors]
        for tensor in theirs.tensors:
            mine = ours.tensors[tensor.name]
            assert mine.shape == tuple(reversed(tensor.shape.tolist()))
            assert bytes(mine.data) == tensor.data.tobytes()


def test_many_rows_are_unpacked_in_parts() -> None:
    weight = torch.randn(3000, 256)
    data, kind, meant = packed(weight, Kind.Q4_0)
    assert torch.equal(unpack(PackedTensor((3000, 256), kind, memoryview(data.tobytes()))), meant)


@pytest.mark.parametrize("cut", [2, 30, 3000, -1])
def test_a_file_cut_short(tmp_path: Path, tokenizer: Tokenizer, cut: int) -> None:
    write_pair(random_model(config_for(tokenizer)), tokenizer, tmp_path, Kind.Q8_0)
    path = tmp_path / "model.gguf"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match=r"model\.gguf is no GGUF file"):
        find_checkpoint(path)


def test_what_is_no_pair(tmp_path: Path, tokenizer: Tokenizer) -> None:
    write_pair(random_model(config_for(tokenizer)), tokenizer, tmp_path, Kind.Q8_0)
    with pytest.raises(CheckpointError, match="expected one language model"):
        find_checkpoint(f"{tmp_path}/mmproj.gguf,{tmp_path}/mmproj.gguf")
    (tmp_path / "mmproj.gguf").rename(tmp_path / "tower.bin")
    with pytest.raises(CheckpointError, match="--mmproj"):
        find_checkpoint(tmp_path / "model.gguf")
    (tmp_path / "model.gguf").rename(tmp_path / "b.gguf")
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(CheckpointError, match="several models"):
        find_checkpoint(tmp_path)
