"""Other programs' language models at the widths of the 3B model, for `cpu_speed.py`: transformers, llama.cpp, vLLM.

A peer is there when its package is: `transformers`, `llama_cpp` (llama-cpp-python built with `-O3 -march=native`; also
needs `gguf`), or, named by `--vllm`, the Python of an environment with vLLM's CPU build. Each has the same layers with
random weights and a table of 1,000 tokens. Run as a program, this file is the process of vLLM.
"""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Side = Callable[[], Any]
VOCABULARY = 1000
_GGUF_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    **{f"self_attn.{x}_proj": f"attn_{x}" for x in "qkv"},
    "self_attn.o_proj": "attn_output",
    **{f"mlp.{x}_proj": f"ffn_{x}" for x in ("gate", "up", "down")},
}


def has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def transformers_text(ours: Any, config: Any) -> Any:
    import torch
    from transformers import Qwen2_5_VLConfig
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as peers

    settings = Qwen2_5_VLConfig(**config.to_dict()).text_config
    settings._attn_implementation = "sdpa"
    with torch.device("meta"):
        peer = peers.Qwen2_5_VLTextModel(settings)
    peer.rotary_emb = peers.Qwen2_5_VLRotaryEmbedding(settings)
    peer.load_state_dict(ours.state_dict(), assign=True)
    return peer.eval()


def transformers_decode(peer: Any, past: int, hidden: Callable[[int], Any]) -> Side:
    import torch

    positions, token = torch.arange(past + 1).expand(3, 1, -1), hidden(1)
    first = {"inputs_embeds": hidden(past)[None], "position_ids": positions[..., :past]}
    cache = peer(**first, use_cache=True).past_key_values

    def step() -> None:
        if cache.get_seq_length() > past:
            cache.crop(-1)
        peer(inputs_embeds=token[None], position_ids=positions[..., past:], past_key_values=cache, use_cache=True)

    return step


class LlamaCpp:
    """One GGUF with the weights of a `TextModel`, of type BF16, Q8_0 or Q4_0."""

    def __init__(self, ours: Any, config: Any, kind: str, threads: int, room: int) -> None:
        import llama_cpp.llama_cpp as api

        self._api, self._room = api, room
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            _write_gguf(ours, config, kind, path)
            self._model = api.llama_model_load_from_file(str(path).encode(), api.llama_model_default_params())
        settings = api.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_ubatch = room, 1024, 1024
        settings.n_threads = settings.n_threads_batch = threads
        self._context = api.llama_init_from_model(self._model, settings)
        self._memory = api.llama_get_memory(self._context)
        self._batch = api.llama_batch_init(1024, 0, 1)

    def _read(self, start: int, count: int, *, keep_all: bool = False) -> None:
        """Tokens at `start` and on, with logits after the last or, in `keep_all`, after each; what stood there before
        is dropped. Its last layer computes only the rows whose logits are wanted."""
        self._api.llama_memory_seq_rm(self._memory, 0, start, -1)
        self._batch.n_tokens = count
        for i in range(count):
            self._batch.token[i], self._batch.pos[i] = (start + i) % VOCABULARY, start + i
            self._batch.n_seq_id[i], self._batch.seq_id[i][0], self._batch.logits[i] = 1, 0, keep_all or i == count - 1
        assert self._api.llama_decode(self._context, self._batch) == 0

    def decode(self, past: int) -> Side:
        for at in range(0, past, 512):
            self._read(at, 512)
        return lambda: self._read(past, 1)

    def prefill(self, count: int) -> Side:
        """As much work as other sides have: all rows of the last layer, and a small table after them."""
        return lambda: self._read(0, count, keep_all=True)


def _write_gguf(ours: Any, config: Any, kind: str, path: Path) -> None:
    import gguf
    import torch

    kinds = {"BF16": gguf.GGMLQuantizationType.BF16, "Q8_0": gguf.GGMLQuantizationType.Q8_0}
    packed, text = {**kinds, "Q4_0": gguf.GGMLQuantizationType.Q4_0}[kind], config.text
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(text.num_hidden_layers)
    writer.add_context_length(text.max_position_embeddings)
    writer.add_embedding_length(text.hidden_size)
    writer.add_feed_forward_length(text.intermediate_size)
    writer.add_head_count(text.num_attention_heads)
    writer.add_head_count_kv(text.num_key_value_heads)
    writer.add_layer_norm_rms_eps(text.rms_norm_eps)
    writer.add_rope_freq_base(text.rope_theta)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("no_vocab")
    for name, tensor in ours.state_dict().items():
        if name.startswith("layers."):
            _, block, rest = name.split(".", 2)
            layer, _, part = rest.rpartition(".")
            name = f"blk.{block}.{_GGUF_NAMES[layer]}.{part}"
        else:
            name = {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}[name]
        wide = tensor.detach().to(torch.float32).numpy()
        if wide.ndim == 1:
            writer.add_tensor(name, wide)
        else:
            writer.add_tensor(name, gguf.quantize(wide, packed), raw_dtype=packed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class VLLM:
    """A process that runs vLLM, compiled, and tells the seconds of each turn by either clock."""

    def __init__(self, python: str, config: Any, threads: int) -> None:
        text = config.text
        self._folder = tempfile.TemporaryDirectory()
        fields = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "torch_dtype": "bfloat16"}
        fields |= {"vocab_size": VOCABULARY, "tie_word_embeddings": True, "hidden_act": "silu"}
        fields |= {name: getattr(text, name) for name in _FIELDS}
        (Path(self._folder.name) / "config.json").write_text(json.dumps(fields))
        settings = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
        settings |= {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": str(threads), "VLLM_LOGGING_LEVEL": "ERROR"}
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | settings | {"DO_NOT_TRACK": "1"}
        command = [python, __file__, self._folder.name]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, env=environment, **pipes)

    def seconds(self, prompt: int, tokens: int, clock: str) -> float:
        """Of one answer to a prompt; for more than one token, the mean of those after the first."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(prompt, tokens, clock, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        while line and not line.startswith("SECONDS"):
            line = self._process.stdout.readline()
        assert line, "vLLM's process ended"
        return float(line.split()[1])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


_FIELDS = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
_FIELDS = (*_FIELDS, "max_position_embeddings", "rms_norm_eps", "rope_theta")


def serve_vllm(directory: str) -> None:
    from vllm import LLM, SamplingParams

    options = {"skip_tokenizer_init": True, "enable_prefix_caching": False, "max_model_len": 2048, "dtype": "bfloat16"}
    with contextlib.redirect_stdout(sys.stderr):
        model = LLM(directory, load_format="dummy", max_num_batched_tokens=2048, **options)

    def answer(prompt: int, tokens: int, clock: Callable[[], float]) -> float:
        wanted = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True, detokenize=False)
        began = clock()
        model.generate({"prompt_token_ids": [i % VOCABULARY for i in range(prompt)]}, wanted, use_tqdm=False)
        return clock() - began

    for line in sys.stdin:
        prompt, tokens, name = line.split()
        clock = time.process_time if name == "cpu" else time.perf_counter
        with contextlib.redirect_stdout(sys.stderr):
            taken = answer(int(prompt), int(tokens), clock)
            if int(tokens) > 1:
                taken = (taken - answer(int(prompt), 1, clock)) / (int(tokens) - 1)
        print("SECONDS", taken, flush=True)


if __name__ == "__main__":
    serve_vllm(sys.argv[1])
