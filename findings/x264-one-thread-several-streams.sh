#!/usr/bin/env bash
# Question:  does x264 with one thread give the same bytes each time for the same frames?
# Guess (written before running): yes. One thread, no clock and no random numbers leave nothing that could differ, and
#            the assembly code of each processor is tested to be bit-exact with the C code.
# Behaviour: no, twice.
#   1. On processors with AVX-512 the stream depends on what lies in freshly allocated memory: the macroblock tree works
#      on eight macroblocks at a time, and with a last group that is not full it uses values that nobody wrote. Widths that
#      are a multiple of 128 pixels (eight macroblocks) give one stream, and so does mbtree=0. glibc's MALLOC_PERTURB_ fills new memory with a chosen byte, which makes the effect repeatable.
#   2. On every x86 processor with AVX2 the stream differs from that of the C code: the macroblock tree is not bit-exact.
#   x264's documented option cpu-independent=1 ends both: one stream for every fill and every instruction set.
# Versions:  av 18.1.0 (x264 core 165), numpy 2.2.6. Needs Linux with glibc and python3 with venv; about one minute.
# Exits 0 when the behaviour is as above. Without AVX-512 (or AVX2) part 1 (or 2) is reported and not judged.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.2.6
cat > encode.py <<'PYTHON'
"""Prints the hash of a clip: `encode.py WIDTH HEIGHT X264-PARAMS`."""
import hashlib, io, sys
import av, numpy as np

width, height, params = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
tiles = np.random.default_rng(0).integers(16, 236, (height // 8, width // 8), dtype=np.uint8)
ground = np.vstack([np.kron(tiles, np.ones((8, 8), np.uint8)), np.full((height // 2, width), 128, np.uint8)])
sink = io.BytesIO()
with av.open(sink, "w", format="mp4") as container:
    stream = container.add_stream("libx264", rate=10, options={"crf": "20", "preset": "veryfast", "x264-params": params})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    for k in range(8):
        frame = ground.copy()
        frame[40:71, 4 * k : 4 * k + 31] = 81  # a square that moves to the right
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="yuv420p")))  # no conversion of colors
    container.mux(stream.encode(None))
print(hashlib.sha256(sink.getvalue()).hexdigest()[:12])
PYTHON
streams() {  # WIDTH HEIGHT X264-PARAMS: the different streams over three fills of new memory
  for fill in 1 85 255; do MALLOC_PERTURB_=$fill venv/bin/python encode.py "$1" "$2" "threads=1$3"; done | sort -u | tr '\n' ' '
}
count() { wc -w <<< "$1"; }
has() { grep -q -m1 -w "$1" /proc/cpuinfo; }
failed=0
expect() {  # NAME FOUND WANTED
  if [ "$2" = "$3" ]; then echo "as found before: $1: $2"; else echo "CHANGED: $1: $2, was $3"; failed=1; fi
}
venv/bin/python -c 'import av; print("av", av.__version__, "libavcodec", av.library_versions["libavcodec"])'

plain=$(streams 112 112 "") wide=$(streams 128 112 "") none=$(streams 112 112 ":mbtree=0")
portable=$(streams 112 112 ":cpu-independent=1") c_only=$(streams 112 112 ":cpu-independent=1:asm=0")
echo "112x112: $plain| 128x112: $wide| mbtree=0: $none| cpu-independent=1: $portable| and asm=0: $c_only"
if has avx512vl && has avx512bw && has avx512dq; then
  expect "streams of one clip, 112 pixels wide, AVX-512" "$(count "$plain")" 2
else
  echo "this processor has no AVX-512, where one clip gives several streams; here: $(count "$plain")"
fi
expect "streams of one clip, 128 pixels wide" "$(count "$wide")" 1
expect "streams of one clip, mbtree=0" "$(count "$none")" 1
expect "streams of one clip, cpu-independent=1" "$(count "$portable")" 1
expect "cpu-independent=1 is the stream of the C code" "$portable" "$c_only"
if has avx2; then
  simd=$(streams 144 160 ":asm=avx2") c=$(streams 144 160 ":asm=0")
  expect "AVX2 and C code give the same stream" "$([ "$simd" = "$c" ] && echo yes || echo no)" no
else
  echo "this processor has no AVX2, whose stream differs from that of the C code; not judged"
fi
exit $failed
