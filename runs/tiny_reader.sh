#!/usr/bin/env bash
# The second campaign of the built-in model: new sizes (tiny/recipes.py: reader_config), from nothing. Each command resumes
# where it was stopped. Nothing of it is shipped yet: the shipped weights are those of runs/tiny.sh.
set -euo pipefail
OUT=${OUT:-/tmp/viewfinder-reader}
PYTHON=${PYTHON:-.venv/bin/python}
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000
train() { "$PYTHON" -m viewfinder train "$@"; }

# 1. The tower reads and names: dense labels and the reading loss, on quick pictures alone.
train tiny-reader --out "$OUT/tower" threads=1 steps=900 save_every=25 log_every=10

# 2. Everything with answers first, the tower at three tenths of the rate.
train tiny-joint --out "$OUT/joint" --init "$OUT/tower" bf16=true threads=1 global_batch_size=2 steps=3000 seed=1021 \
    lr_scale.tower=0.3 lr_scale.merger=0.6 optimizer.muon_lr=0.010 optimizer.adamw_lr=0.0015 optimizer.weight_decay=0.1 \
    optimizer.warmup=30 optimizer.cooldown=0.9 optimizer.final=0.03 optimizer.ema=0.99 save_every=50 log_every=10 \
    extra_losses.token_labels=0.2 extra_losses.attention=0.5 extra_losses.words=0.3 data.patches=2304 data.min_side=84 \
    data.max_side=336 data.max_pixels=50176 data.text_share=2.5 data.quick_share=0.9 data.clip_share=0.08 data.kind_share=0.15 \
    data.kinds='{"weights":{"pages":0.9,"receipts":0.8,"forms":0.7,"tables":0.9,"charts":0.8,"screens":1.3,"grounding":1.7,"relations":0.5,"worlds":0.5,"pointing":0.7},"sides":[112,308],"difficulty":[0.0,0.4],"longest":704}' \
    data.styles='{"pair":0.5,"one":0.7,"few":1.0,"several":0.6,"crowd":0.4,"short":0.5,"word":0.7,"line":1.0,"sheet":1.0,"page":0.1}' \
    data.tasks='{"locate":1.6,"point":0.8,"count":0.7,"read":2.2,"spot":0.03,"locate_text":0.6,"ask":1.3}'
