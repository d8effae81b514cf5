"""A run that starts from a text-only language model: Llama and Qwen2 layouts, beside a forward written out."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter
from safetensors.torch import save_file
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.nn import functional as F

from tests.recipes.making import QUICK, checkpoint, shards
from viewfinder.config import ModelConfig
from viewfinder.errors import CheckpointError
from viewfinder.inputs import ModelInputs
from viewfinder.model.weights import load_model
from viewfinder.processor.processor import Processor
from viewfinder.recipes.language import open_language
from viewfinder.recipes.run import resolve, train
from viewfinder.recipes.sizes import build, start_from, with_language
from viewfinder.recipes.summary import run_summary
from viewfinder.train.config import ConfigError

WIDTH, HEADS, KV, LAYERS, HIDDEN, THETA = 32, 4, 2, 2, 48, 5000.0
HEAD = WIDTH // HEADS
Save = Callable[[Path, str], Path]


def vocabulary() -> Backend:
    """Bytes, some merges, and two of the special tokens, cut as SmolLM2's text is."""
    backend = Backend(models.BPE())
    digits, level = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([digits, level])
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=["<|endoftext|>", "<|im_end|>"], show_progress=False
    )
    backend.train_from_iterator(["the cat and the hat", "a cat that sat"] * 5, trainer)
    return backend


def weights(kind: str) -> dict[str, Tensor]:
    """Random tensors by the names of both layouts; Qwen2 has biases, Llama none."""
    torch.manual_seed(3)
    made = {"model.embed_tokens.weight": torch.randn(vocabulary().get_vocab_size(), WIDTH)}
    sizes = {"q": WIDTH, "k": KV * HEAD, "v": KV * HEAD}
    for i in range(LAYERS):
        at = f"model.layers.{i}."
        made |= {f"{at}self_attn.{part}_proj.weight": torch.randn(size, WIDTH) * 0.2 for part, size in sizes.items()}
        if kind == "qwen2":
            made |= {f"{at}self_attn.{part}_proj.bias": torch.randn(size) for part, size in sizes.items()}
        made[f"{at}self_attn.o_proj.weight"] = torch.randn(WIDTH, WIDTH) * 0.2
        made |= {f"{at}mlp.{part}_proj.weight": torch.randn(HIDDEN, WIDTH) * 0.2 for part in ("gate", "up")}
        made[f"{at}mlp.down_proj.weight"] = torch.randn(WIDTH, HIDDEN) * 0.2
        made |= {
            f"{at}{name}.weight": torch.rand(WIDTH) + 0.5 for name in ("input_layernorm", "post_attention_layernorm")
        }
    return made | {"model.norm.weight": torch.rand(WIDTH) + 0.5}


def as_directory(folder: Path, kind: str) -> Path:
    config = {
        "model_type": kind,
        "vocab_size": vocabulary().get_vocab_size(),
        "hidden_size": WIDTH,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV,
        "rope_theta": THETA,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary().save(str(folder / "tokenizer.json"))
    save_file(weights(kind), folder / "model.safetensors")
    return folder


def as_gguf(folder: Path, kind: str) -> Path:
    """As llama.cpp's converter writes it: rows of queries and keys interleaved for Llama, as they are for Qwen2."""
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v"}
    names |= {"self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up"}
    names |= {"mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    path = folder.with_suffix(".gguf")
    writer = GGUFWriter(path, kind)
    for key, value in {"embedding_length": WIDTH, "feed_forward_length": HIDDEN, "block_count": LAYERS}.items():
        writer.add_uint32(f"{kind}.{key}", value)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV)
    writer.add_rope_freq_base(THETA)
    writer.add_layer_norm_rms_eps(1e-5)
    backend = vocabulary()
    merges = [" ".join(pair) for pair in json.loads(backend.to_str())["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([str(backend.id_to_token(i)) for i in range(backend.get_vocab_size())])
    writer.add_token_types([3, 3] + [1] * (backend.get_vocab_size() - 2))
    writer.add_token_merges(merges)
    for name, tensor in weights(kind).items():
        if kind == "llama" and ("q_proj" in name or "k_proj" in name):
            tensor = tensor.reshape(-1, 2, HEAD // 2, *tensor.shape[1:]).transpose(1, 2).reshape(tensor.shape)
        short = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}.get(name)
        if short is None:
            _, _, layer, *rest, end = name.split(".")
            short = f"blk.{layer}.{names['.'.join(rest)]}.{end}"
        writer.add_tensor(short, np.ascontiguousarray(tensor.numpy()), raw_dtype=GGMLQuantizationType.F32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def written_out(kind: str, ids: list[int]) -> Tensor:
    """Logits of a Llama or Qwen2 forward: RMS norms, halves rotated together, grouped heads, SwiGLU, tied head."""
    w = weights(kind)
    table = w["model.embed_tokens.weight"]
    x, length = table[ids], len(ids)
    angle = torch.arange(length)[:, None] * THETA ** (-torch.arange(0, HEAD, 2) / HEAD)
    cos, sin = (torch.cat([f(angle), f(angle)], -1) for f in (torch.cos, torch.sin))

    def norm(x: Tensor, name: str) -> Tensor:
        return x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * w[name]

    def project(x: Tensor, name: str) -> Tensor:
        return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", torch.zeros(1))

    def rotated(x: Tensor) -> Tensor:
        first, second = x.chunk(2, -1)
        return x * cos[:, None] + torch.cat([-second, first], -1) * sin[:, None]

    for i in range(LAYERS):
        at = f"model.layers.{i}."
        seen = norm(x, f"{at}input_layernorm.weight")
        q, k, v = (project(seen, f"{at}self_attn.{part}_proj").reshape(length, -1, HEAD) for part in "qkv")
        q, k = rotated(q), rotated(k)
        k, v = (t.repeat_interleave(HEADS // KV, 1) for t in (k, v))
        scores = torch.einsum("qhd,khd->hqk", q, k) / HEAD**0.5
        scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -torch.inf).softmax(-1)
        x = x + project(torch.einsum("hqk,khd->qhd", scores, v).flatten(1), f"{at}self_attn.o_proj")
        seen = norm(x, f"{at}post_attention_layernorm.weight")
        gate = F.silu(project(seen, f"{at}mlp.gate_proj"))
        x = x + project(gate * project(seen, f"{at}mlp.up_proj"), f"{at}mlp.down_proj")
    return norm(x, "model.norm.weight") @ table.T


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("save", [as_directory, as_gguf])
def test_text_has_the_logits_of_the_language_model_alone(tmp_path: Path, kind: str, save: Save) -> None:
    start = with_language(start_from(checkpoint(tmp_path / "start")), open_language(save(tmp_path / "text", kind)))
    model = build(start, seed=0).eval()
    ids = start.processor.tokenizer.encode("the cat sat on 42 hats")
    assert ids == vocabulary().encode("the cat sat on 42 hats").ids
    places = torch.arange(len(ids)).expand(3, -1)
    inputs = ModelInputs(
        torch.tensor(ids), places, torch.tensor([0, len(ids)]), rope_deltas=(0,), media_per_sequence=(0,)
    )
    with torch.no_grad():
        logits = model(inputs)[:, : vocabulary().get_vocab_size()]
    torch.testing.assert_close(logits, written_out(kind, ids), rtol=1e-4, atol=1e-4)


def test_prompts_have_their_special_tokens(tmp_path: Path) -> None:
    language = open_language(as_gguf(tmp_path / "text", "llama"))
    own = vocabulary()
    for name in ("<|endoftext|>", "<|im_end|>"):
        assert language.tokenizer.token_id(name) == own.token_to_id(name)  # it had these
    for name in ("<|im_start|>", "<|image_pad|>", "<|vision_start|>"):
        assert own.get_vocab_size() <= language.tokenizer.token_id(name) < language.config.vocab_size
    tensors = dict(language.tensors())
    table = tensors["model.embed_tokens.weight"]
    torch.testing.assert_close(table[-1], table[: own.get_vocab_size()].mean(0))
    assert language.tokenizer.decode(language.tokenizer.encode("<|im_end|> é 12")) == "<|im_end|> é 12"


def test_a_run_aligns_the_tower_and_leaves_the_language_model(tmp_path: Path) -> None:
    text = as_gguf(tmp_path / "text", "llama")
    options = {"init": str(checkpoint(tmp_path / "start")), "language": text}
    settings = [*QUICK, "steps=1", f"data.source={shards('captions', tmp_path / 'data')}", "extra_losses={}"]
    train("vision-align", tmp_path / "run", settings, **options)
    after = load_model(tmp_path / "run" / "export")
    name = "model.layers.1.mlp.up_proj.weight"
    assert torch.equal(after.state_dict()[name], weights("llama")[name])
    before, kept = load_model(tmp_path / "start").visual.state_dict(), after.visual.state_dict()
    assert kept["blocks.0.attn.qkv.weight"].shape == before["blocks.0.attn.qkv.weight"].shape
    config = ModelConfig.from_pretrained(tmp_path / "run" / "export")
    processor = Processor.from_pretrained(tmp_path / "run" / "export")
    assert config.image_token_id == processor.tokenizer.token_id("<|image_pad|>")
    assert config.text.vocab_size == len(processor.tokenizer)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "qwen3"}, "can start from the layouts 'qwen2' and 'llama'"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "rope_scaling"),
        ({"attention_bias": True}, "attention_bias"),
        ({"hidden_act": "gelu"}, "hidden_act"),
    ],
)
def test_what_is_not_computed_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    folder = as_directory(tmp_path / "text", "llama")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(CheckpointError, match=said):
        open_language(folder)


def test_files_that_are_no_language_model_are_refused_by_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere is no directory; give .* one \.gguf file"):
        open_language(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"config\.json cannot be read \(No such file or directory\)"):
        open_language(tmp_path / "empty")
    writer = GGUFWriter(tmp_path / "mmproj.gguf", "clip")
    writer.add_tensor("v.patch_embd.weight", np.zeros((4, 3), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(CheckpointError, match="is a 'clip' model; a run can start from"):
        open_language(tmp_path / "mmproj.gguf")


def test_a_lost_tensor_is_named(tmp_path: Path) -> None:
    folder = as_directory(tmp_path / "text", "llama")
    kept = {name: tensor for name, tensor in weights("llama").items() if name != "model.norm.weight"}
    save_file(kept, folder / "model.safetensors")
    start = with_language(start_from(checkpoint(tmp_path / "start")), open_language(folder))
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight"):
        build(start, seed=0)


def test_size_and_init_still_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both were given"):
        train("sft", tmp_path / "run", [], init="tiny", size="tiny", language=as_directory(tmp_path / "text", "llama"))


def test_a_run_says_where_its_language_model_comes_from(tmp_path: Path) -> None:
    language = open_language(as_directory(tmp_path / "text", "qwen2"))
    start = with_language(start_from(checkpoint(tmp_path / "start")), language)
    config = resolve(start, "vision-align", QUICK)
    assert f"the language model {language.source} behind a tower of the weights in" in run_summary(start, config, 0)[0]
