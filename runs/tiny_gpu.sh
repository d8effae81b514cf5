#!/usr/bin/env bash
# The tower-and-reader stage of the built-in model on one GPU, for MINUTES in all; runs/tiny_reader.sh does the same on a
# CPU. Each call goes on from the newest state in OUT/tower, which the CPU's recipe may have written, and leaves one that
# it reads; the learning rate is warmed up at a run's start and cooled down by time, so a run of any speed ends usable.
#
# What must be carried: this repository without .git, runs and docs (about 4 MiB), and OUT/tower/states with its one
# newest state (about 45 MiB; none to begin from nothing). What comes back: OUT/tower (states, export, metrics).
set -euo pipefail
OUT=${OUT:-/tmp/viewfinder-reader}
PYTHON=${PYTHON:-.venv/bin/python}
MINUTES=${MINUTES:-8}
WORKERS=${WORKERS:-$(($(nproc) > 2 ? $(nproc) - 1 : 1))}
PATCHES=${PATCHES:-36864} # a batch: about 60 pictures of 224 x 224 pixels, 8 times the CPU's, at twice its rate
export OMP_NUM_THREADS=1 MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000

"$PYTHON" -m viewfinder train tiny-reader --out "$OUT/tower" threads=1 workers="$WORKERS" minutes="$MINUTES" \
    steps=1000000 save_every=100000 keep=1 log_every=10 peak_flops=1e15 optimizer.muon_lr=0.02 optimizer.adamw_lr=0.003 \
    data.patches="$PATCHES" data.kit_batches=128 "$@"
