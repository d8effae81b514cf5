#!/usr/bin/env bash
# The built-in model's report page, docs/eval/tiny: our suites and its own table, a blindfolded and an untrained twin
# beside it. Resumes where it was stopped. `COUNT` questions a task; MODEL=DIR for another checkpoint.
set -euo pipefail
MODEL=${MODEL:-tiny}
COUNT=${COUNT:-16}
OUT=${OUT:-out/eval/tiny-$COUNT}
PAGE=${PAGE:-docs/eval/tiny}
TASKS=${TASKS:-suites builtin}
PYTHON=${PYTHON:-.venv/bin/python}
# shellcheck disable=SC2086
"$PYTHON" -m viewfinder eval run $TASKS --model "$MODEL" --count "$COUNT" --beside blind --beside untrained --concurrency "${CONCURRENCY:-1}" --out "$OUT"
mkdir -p "$PAGE"
cp "$OUT/index.html" "$OUT/scores.json" "$PAGE/"
