"""TFRecord files and the protocol buffers inside them, read without TensorFlow.

A record is its length (8 bytes), a checksum, the bytes, a checksum. Checksums are not verified; a cut file ends
where it is cut. Messages are read as field number to values, which is all that fixed schemas need.
"""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path

from viewfinder.errors import EvaluationError

Fields = dict[int, list[bytes | int]]


def read_records(path: Path) -> Iterator[bytes]:
    """Records of a file, gzip or plain."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if zipped else path.open("rb") as content:
        while len(head := content.read(12)) == 12:
            (length,) = struct.unpack("<Q", head[:8])
            if length > 1 << 30:
                raise EvaluationError(
                    f"{path} has a record of {length:,} bytes: it is no TFRecord file; fetch it again"
                )
            record = content.read(length)
            if len(record) < length:
                return
            content.read(4)
            yield record


def read_message(data: bytes) -> Fields:
    """Fields of a message by number: integers of varints, bytes of everything else."""
    fields: Fields = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        value: bytes | int
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = data[at : at + size], at + size
        else:
            raise EvaluationError(
                f"a message has wire type {kind}, so it is not the schema expected; fetch the file again"
            )
        fields.setdefault(number, []).append(value)
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if not byte & 128:
            break
    return value, at


def signed(value: bytes | int) -> int:
    """An int32 or int64 as protocol buffers store it."""
    assert isinstance(value, int)
    return value - (1 << 64) if value >= 1 << 63 else value


def read_example(record: bytes) -> dict[str, list[bytes] | list[int]]:
    """A `tf.train.Example`: names to lists of bytes or of integers (float features are left out)."""
    result: dict[str, list[bytes] | list[int]] = {}
    (features,) = read_message(record)[1]
    for entry in read_message(_bytes(features)).get(1, ()):
        pair = read_message(_bytes(entry))
        kinds = read_message(_bytes(pair[2][0])) if 2 in pair else {}
        name = _bytes(pair[1][0]).decode()
        if 1 in kinds:
            result[name] = [_bytes(v) for v in read_message(_bytes(kinds[1][0])).get(1, ())]
        elif 3 in kinds:
            result[name] = _integers(_bytes(kinds[3][0]))
    return result


def _integers(data: bytes) -> list[int]:
    """An `Int64List`, packed or not."""
    numbers: list[int] = []
    for value in read_message(data).get(1, ()):
        if isinstance(value, int):
            numbers.append(signed(value))
            continue
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            numbers.append(signed(number))
    return numbers


def _bytes(value: bytes | int) -> bytes:
    assert isinstance(value, bytes)
    return value
