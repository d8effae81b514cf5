#!/usr/bin/env bash
# Question: a GGUF block of type Q4_0 holds 32 numbers of four bits and one scale. What is the scale of (0.5, 1.0, -0.25, 0 ...)?
# Guess (written before running): largest magnitude / 7, positive, as symmetric int4 elsewhere: 1.0 becomes 7 * 0.1429.
# Versions: gguf 0.19.0, numpy 2.4.6.
# Seen:     the largest weight, with its sign, divided by -8: scale -0.125, so 1.0 is stored as number 0 (meaning -8 * -0.125)
#           and comes back exactly, 0.5 as 4. The opposite -1.0 could only be 15 (meaning -0.875): the sign of the
#           largest weight decides which side of the block is cut. Number i stands in the low half of byte i, number
#           i + 16 in the high half, so neighbors are in different bytes.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q gguf==0.19.0 numpy==2.4.6
sed -n 's/^# //p' "$0" | sed '/^!/d'
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from gguf import GGMLQuantizationType as Kind, dequantize, quantize

block = np.zeros((1, 32), np.float32)
block[0, :3] = 0.5, 1.0, -0.25
packed = quantize(block, Kind.Q4_0)[0]
scale = packed[:2].view(np.float16)[0]
numbers = np.concatenate([packed[2:] & 15, packed[2:] >> 4])
print("bytes of a block:", len(packed), "scale:", scale, "first numbers:", numbers[:4].tolist())
assert (len(packed), float(scale)) == (18, -0.125), "behavior changed"
assert numbers[:4].tolist() == [4, 0, 10, 8], "behavior changed"
block[0, 3] = -1.0
back = dequantize(quantize(block, Kind.Q4_0), Kind.Q4_0)[0]
print("1.0 and -1.0 in one block come back as", back[1], back[3])
assert (back[1], back[3]) == (1.0, -0.875), "behavior changed"
PY
