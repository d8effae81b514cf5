#!/usr/bin/env bash
# What the stages of runs/tiny.sh that answer from pixels were worth, by one command for all: each export is shipped as the built-in model is and asked
# the same questions; the blindfolded and the untrained twin come from the folder that runs/eval_tiny.sh filled. Writes
# docs/eval/stages.md and docs/eval/stages.png. OUT is the folder of runs/tiny.sh; resumes where it was stopped.
set -euo pipefail
OUT=${OUT:-/tmp/viewfinder-tiny}
COUNT=${COUNT:-16}
TWINS=${TWINS:-out/eval/tiny-$COUNT}
TABLE=${TABLE:-docs/eval/stages}
PYTHON=${PYTHON:-.venv/bin/python}
# Stage and hours by the clock at its end, tries that were thrown away not counted (docs/notes has the machine).
STAGES=${STAGES:-joint:3.2 joint-4:4.9 joint-6:8.3 language-2:9.2 joint-7:10.5 sft:10.7 joint-8:11.1 joint-9:12.3
    joint-10:14.0 dpo:14.1}
rows=()
for stage in $STAGES; do
    name=${stage%%:*}
    [ -e "$OUT/shipped/$name" ] || "$PYTHON" -m viewfinder.tiny.ship "$OUT/$name" "$OUT/shipped/$name"
    "$PYTHON" -m viewfinder eval run builtin --model "$OUT/shipped/$name" --count "$COUNT" --out "$OUT/table/$name"
    rows+=("$stage:$OUT/table/$name")
done
"$PYTHON" runs/stage_table.py "[untrained]:0:$TWINS#untrained" "[blind]:14.0:$TWINS#blind" "${rows[@]}" --out "$TABLE"
