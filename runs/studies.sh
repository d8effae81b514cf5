#!/usr/bin/env bash
# All fourteen studies of docs/studies with one model, and their pages: a night of two cores with the built-in model.
# Each command goes on where it was stopped. MODEL is a checkpoint, OUT takes what is measured, PAGES the pages.
set -euo pipefail
PYTHON=${PYTHON:-.venv/bin/python}
MODEL=${MODEL:-tiny}
OUT=${OUT:-out/studies}
for number in 13 4 11 2 3 9 14 10 7 1 6 8 12 5; do
    "$PYTHON" -m viewfinder study "$number" --model "$MODEL" --train --out "$OUT"
done
"$PYTHON" -m viewfinder study pages --out "$OUT" --to "${PAGES:-docs/studies}"
