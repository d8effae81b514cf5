#!/usr/bin/env bash
# How the built-in weights were made: every stage with the settings that were used, in order. Each command
# resumes where it was stopped. About 45 minutes on two cores; OUT takes 300 MB. The data code was still changing
# between stages 2 and 3 of the shipped weights (boxes of text became tight, one thing instead of one or two), so a
# rerun gives a sibling of them, not the same bytes. Since 2026-11-25 the recipe has six layers of language model
# instead of four, a vocabulary of 1,024 and finer dense labels, for the next model (docs/log.md, "learning before
# seeing"): to make the shipped one again, take the recipe as of 2026-11-23.
set -euo pipefail
OUT=${OUT:-/tmp/viewfinder-tiny}
PYTHON=${PYTHON:-.venv/bin/python}
train() { "$PYTHON" -m viewfinder.recipes.run "$@"; }

# 1. The tower alone, under the dense heads: one shape, letters on the grid, words.
train tiny-tower --out "$OUT/tower" steps=500 seed=6 optimizer.cooldown=0 optimizer.adamw_lr=0.002 \
    optimizer.muon_lr=0.02 optimizer.weight_decay=0.1 optimizer.warmup=20 data.patches=1152 data.max_pixels=18816 \
    data.styles='{"one":1.0,"grid":0.7,"word":0.3}'

# 2. The language model joins and learns the forms of the answers.
train tiny-joint --out "$OUT/forms" --init "$OUT/tower" steps=200 seed=7 optimizer.cooldown=0 \
    optimizer.adamw_lr=0.0015 optimizer.muon_lr=0.012 optimizer.weight_decay=0.1 optimizer.warmup=20 \
    data.patches=1152 data.max_pixels=18816 data.max_side=196 data.text_share=4 \
    data.styles='{"one":1.0,"word":0.4,"grid":0.25,"mixed":0.2}' \
    data.tasks='{"locate":1.0,"point":0.7,"ask":0.7,"read":1.0}'

# 3. Small pictures. At rates of 0.015 to 0.02 nothing was placed; 70 steps at 0.005 gave the first boxes.
SMALL=(--out "$OUT/joint" --init "$OUT/forms" data.patches=2304 data.max_pixels=15680 data.max_side=168
    optimizer.weight_decay=0.1 optimizer.warmup=20)
train tiny-joint "${SMALL[@]}" steps=150 seed=8 optimizer.cooldown=0 optimizer.adamw_lr=0.0015 optimizer.muon_lr=0.015 \
    data.text_share=4 data.styles='{"one":1.0,"word":0.4,"text":0.15,"grid":0.1,"few":0.35}' \
    data.tasks='{"locate":1.0,"point":0.5,"ask":0.7,"read":1.0,"count":0.25}'
ONE=(data.text_share=3.5 data.styles='{"one":1.0,"word":0.2,"few":0.2}' dense_weight=0.15
    data.tasks='{"locate":1.0,"point":0.6,"ask":0.3,"read":0.5,"count":0.1}')
train tiny-joint "${SMALL[@]}" "${ONE[@]}" steps=200 seed=9 optimizer.cooldown=0 optimizer.adamw_lr=0.002 \
    optimizer.muon_lr=0.02
train tiny-joint "${SMALL[@]}" "${ONE[@]}" steps=300 seed=9 optimizer.cooldown=0 optimizer.adamw_lr=0.0006 \
    optimizer.muon_lr=0.005

# 4. Several things, words, counting; the rate falls to nearly nothing at the end.
train tiny-joint "${SMALL[@]}" steps=1150 seed=10 optimizer.cooldown=0.45 optimizer.final=0.03 \
    optimizer.adamw_lr=0.0007 optimizer.muon_lr=0.006 data.text_share=4 dense_weight=0.2 \
    data.styles='{"one":0.6,"word":0.6,"few":0.9,"grid":0.15}' \
    data.tasks='{"locate":1.0,"point":0.6,"ask":0.6,"read":1.0,"count":0.35}'

"$PYTHON" -m viewfinder.recipes.ship "$OUT/joint" viewfinder/weights/tiny
"$PYTHON" runs/measure_tiny.py viewfinder/weights/tiny --count 40 \
    --tasks locate,point,count,ask,read --out viewfinder/weights/tiny/measured.json
