#!/usr/bin/env bash
# Question: compressed-tensors (pack-quantized, 4 bits, with zero points) packs eight numbers of a row into a word: weights
#           of 16 x 64 become 16 x 8 words. With groups of 32 the zero points are 16 x 2. What shape are these packed?
# Guess (written before running): 16 x 1, packed along the row as the weights are, signed numbers as they are.
# Versions: compressed-tensors 0.20.1, torch 2.13.0, transformers 5.23.0.
# Seen:     2 x 2: zero points are packed along the column, eight outputs to a word. And numbers are signed in memory,
#           but stored 8 higher: -8 is 0, 0 is 8. The shape before packing stands in a tensor of its own, `weight_shape`.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-compile compressed-tensors==0.20.1 torch==2.13.0 transformers==5.23.0
sed -n 's/^# //p' "$0" | sed '/^!/d'
"$folder/venv/bin/python" - <<'PY'
import torch
from compressed_tensors.compressors import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

args = QuantizationArgs(num_bits=4, type="int", strategy="group", group_size=32, symmetric=False)
scheme = QuantizationScheme(targets=["Linear"], weights=args)
numbers = torch.arange(64).remainder(16).sub(8).repeat(16, 1)  # -8 ... 7, -8 ...
layer = {
    "weight": numbers.float(),
    "weight_scale": torch.ones(16, 2),
    "weight_zero_point": torch.zeros(16, 2, dtype=torch.int8),
}
made = PackedQuantizationCompressor.compress(layer, scheme)
shapes = {name: tuple(tensor.shape) for name, tensor in made.items()}
print(shapes)
assert shapes["weight_packed"] == (16, 8), "behavior changed"
assert shapes["weight_zero_point"] == (2, 2), "behavior changed"
first = int(made["weight_packed"][0, 0]) & 0xFFFFFFFF
zeros = int(made["weight_zero_point"][0, 0]) & 0xFFFFFFFF
print(f"numbers -8 to -1: {first:#010x}; eight zero points of 0: {zeros:#010x}; weight_shape {made['weight_shape'].tolist()}")
assert (first, zeros) == (0x76543210, 0x88888888), "behavior changed"
PY
