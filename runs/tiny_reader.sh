#!/usr/bin/env bash
# The second campaign of the built-in model: a wider tower (tiny/recipes.py: reader_config) that learns to read alone, put before the
# shipped language model. Each command resumes where it was stopped. Nothing of it is shipped: after these steps it answers less well than the
# shipped weights, which are those of runs/tiny.sh (docs/notes/2026-11-29-second-campaign-begun.md has the table).
set -euo pipefail
OUT=${OUT:-/tmp/viewfinder-reader}
PYTHON=${PYTHON:-.venv/bin/python}
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000
train() { "$PYTHON" -m viewfinder train "$@"; }

# 1. The tower reads and names: dense labels and the reading loss, on quick pictures alone. Two hours of one core with bfloat16 units.
train tiny-reader --out "$OUT/tower" threads=1 steps=3200 save_every=50 log_every=10

# 2. Its features are mapped to those that the shipped language model knows: two minutes.
[ -d "$OUT/start" ] || "$PYTHON" -m viewfinder.tiny.compose "$OUT/tower/export" viewfinder/weights/tiny "$OUT/start"

# 3. The language model alone, while new heads learn.
JOINT=(bf16=true threads=1 optimizer.adamw_lr=0.001 optimizer.weight_decay=0.1 optimizer.ema=0.98 save_every=50 log_every=10
    extra_losses.token_labels=0.2 extra_losses.words=0.3 data.patches=2304 data.min_side=56 data.max_side=448 data.max_aspect=5
    data.max_pixels=63504 data.text_share=2.5 data.quick_share=0.85
    data.kinds='{"weights":{"pages":0.9,"receipts":0.9,"forms":0.8,"tables":0.9,"charts":0.9,"screens":1.3,"grounding":1.5,"relations":0.5,"compare":0.2,"worlds":0.6,"pointing":0.7},"sides":[112,308],"difficulty":[0.0,0.4],"longest":704}'
    data.styles='{"pair":0.5,"one":0.7,"few":1.0,"several":0.6,"crowd":0.4,"short":0.5,"word":0.7,"large":0.4,"line":0.9,"long":0.6,"sheet":1.0,"page":0.1}'
    data.tasks='{"locate":1.6,"point":0.8,"count":0.8,"read":2.2,"spot":0.03,"locate_text":0.6,"ask":1.4}')
train tiny-joint --out "$OUT/joint-1" --init "$OUT/start" "${JOINT[@]}" global_batch_size=2 steps=150 seed=1031 lr_scale.tower=0 lr_scale.merger=0 \
    extra_losses.attention=0.5 optimizer.muon_lr=0.004 optimizer.warmup=20 optimizer.cooldown=0 data.clip_share=0.04 data.kind_share=0.3

# 4. All parts, the rate falling all the time. (The first 100 steps were planned for 640 at 0.007.)
train tiny-joint --out "$OUT/joint-2" --init "$OUT/joint-1" "${JOINT[@]}" global_batch_size=4 steps=480 seed=1032 lr_scale.tower=0.2 \
    lr_scale.merger=0.4 extra_losses.attention=1.0 optimizer.muon_lr=0.005 optimizer.warmup=15 optimizer.cooldown=0.97 optimizer.final=0.03 \
    data.clip_share=0.15 data.kind_share=0.33
