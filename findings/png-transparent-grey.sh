#!/usr/bin/env bash
# Question: a grey PNG of 2 or 4 bits names a transparent grey (tRNS). Which pixels are transparent in Pillow's RGBA?
# Guess (what this project's own code assumed before): those of that grey, as for 8 bits: the reader scales samples and the named grey alike.
# Versions: Pillow 12.3.0.
# Seen:     samples are scaled to 8 bits (times 85 or 17), the named grey is not, so no pixel or another one is
#           transparent. The same for 16-bit color, whose samples lose their low byte and whose named color does not.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q Pillow==12.3.0
sed -n 's/^# //p' "$0" | sed '/^!/d'
"$folder/venv/bin/python" - <<'PY'
import io
import struct
import zlib
from PIL import Image

def png(depth, color, row, width, transparent):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, 1, depth, color, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"tRNS", transparent)
            + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b""))

cases = {
    "8 bits, grey 3 of (3, 10)": (png(8, 0, bytes([3, 10]), 2, struct.pack(">H", 3)), [0, 255]),
    "4 bits, grey 3 of (3, 10)": (png(4, 0, b"\x3a", 2, struct.pack(">H", 3)), [255, 255]),
    "2 bits, grey 1 of (0, 1, 2, 3)": (png(2, 0, b"\x1b", 4, struct.pack(">H", 1)), [255] * 4),
    "16-bit color, 0x0102 of (0x0102, 0x6464)":
        (png(16, 2, struct.pack(">6H", *[0x0102] * 3, *[0x6464] * 3), 2, struct.pack(">3H", *[0x0102] * 3)), [255, 255]),
}
for name, (data, seen) in cases.items():
    alpha = list(Image.open(io.BytesIO(data)).convert("RGBA").getchannel("A").tobytes())
    print(f"{name}: alpha {alpha}")
    assert alpha == seen, "behaviour changed"
PY
