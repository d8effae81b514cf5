"""Pictures, clips and files from which the tests make data sets in their official layouts."""

import base64
import io
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from tests.media.films import write_film


@lru_cache(maxsize=256)
def png(words: str = "", size: tuple[int, int] = (168, 112), box: tuple[int, int, int, int] | None = None) -> bytes:
    """A white picture with words, and a red box where asked."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    if box:
        draw.rectangle(box, fill="red")
    draw.text((6, 6), words, fill="black")
    sink = io.BytesIO()
    image.save(sink, "PNG")
    return sink.getvalue()


def cell(
    words: str = "", size: tuple[int, int] = (168, 112), box: tuple[int, int, int, int] | None = None
) -> dict[str, Any]:
    """A picture as the hub's Parquet files hold it."""
    return {"bytes": png(words, size, box), "path": f"{abs(hash((words, size, box)))}.png"}


def base64_png(words: str) -> str:
    return base64.b64encode(png(words)).decode()


def write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_tsv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    import csv

    with path.open("w", newline="", encoding="utf-8") as sink:
        table = csv.DictWriter(sink, list(rows[0]), delimiter="\t")
        table.writeheader()
        table.writerows(rows)


def write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_clip(path: Path, seconds: float = 2.0) -> None:
    """A film of 4 frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_film(path, [i / 4 for i in range(int(seconds * 4))], size=(80, 64))


def varint(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)


def field(number: int, value: int | bytes) -> bytes:
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value
