#!/usr/bin/env bash
# The tower-and-reader stage of the built-in model on one GPU within MINUTES; runs/tiny_reader.sh does the same on a CPU.
#
# It begins from FROM, a run of either script or what runs/carry_run.py makes of one (from nothing without it), and leaves
# OUT/tower as any run does, and OUT/carry to take back: `viewfinder train tiny-joint --init OUT/carry` goes on from it.
# The learning rate falls by time, so that a run of any speed ends cooled down. Batches are made by WORKERS processes and
# are the same whatever their number.
#
# Carried there: viewfinder, runs and pyproject.toml (34 MiB, of which 20 are shipped weights) and FROM (24 MiB).
set -euo pipefail
OUT=${OUT:-/tmp/viewfinder-gpu}
PYTHON=${PYTHON:-.venv/bin/python}
MINUTES=${MINUTES:-8}
WORKERS=${WORKERS:-$(nproc)}
PATCHES=${PATCHES:-36864} # in a batch: some 150 pictures, 8 times the CPU's, at 1.5 times its learning rate
export OMP_NUM_THREADS=1 MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000

"$PYTHON" -m viewfinder train tiny-reader --out "$OUT/tower" ${FROM:+--init "$FROM"} threads=1 workers="$WORKERS" \
    minutes="$MINUTES" steps=1000000 save_every=1000000 log_every=10 peak_flops=1e15 seed="${SEED:-77}" \
    optimizer.muon_lr=0.02 optimizer.adamw_lr=0.003 data.patches="$PATCHES" data.kit_batches=128 "$@"
rm -rf "$OUT/carry"
"$PYTHON" runs/carry_run.py "$OUT/tower" "$OUT/carry"
