#!/usr/bin/env bash
# Question: after a seek in an MPEG program stream, does the packet that bears a picture's time hold that picture?
# Guess (what this project's own code assumed before): yes: a time is part of its packet, so position can be counted from the first time after the seek.
# Versions: av 18.1.0 (its own FFmpeg libraries).
# Seen:     no. Read from the start, times and sizes of packets belong together; after a seek the first packets bear
#           the times of their neighbors, until the next time stamp in the stream sets them right. Frames found by
#           time are then other pictures, and no error is raised. A transport stream of the same pictures is right.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy
sed -n 's/^# //p' "$0" | sed '/^!/d'
"$folder/venv/bin/python" - "$folder" <<'PY'
import sys
from fractions import Fraction
import av
import numpy as np

def made(path):
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg2video", rate=30, options={"g": "12", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for k in range(120):
            pixels = np.full((240, 320, 3), 128, np.uint8)
            pixels[:120, : 20 + 2 * k] = 255
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path

def wrong(path):
    with av.open(path) as container:
        packets = [(p.pts, p.size, p.is_keyframe) for p in container.demux(video=0) if p.size]
    sizes = {pts: size for pts, size, _ in packets}
    count = 0
    with av.open(path) as container:
        stream = container.streams.video[0]
        for pts in [pts for pts, _, key in packets if key][1:]:
            container.seek(pts, stream=stream)
            for packet, _ in zip(container.demux(stream), range(4)):
                count += packet.pts in sizes and packet.size != sizes[packet.pts]
    return count

program, transport = (wrong(made(f"{sys.argv[1]}/a.{kind}")) for kind in ("mpg", "ts"))
print(f"packets after nine seeks whose size is not that of their time: program stream {program}, transport {transport}")
assert program > 0 and transport == 0, "behaviour changed"
PY
