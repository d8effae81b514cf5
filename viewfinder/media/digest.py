"""Hashes of requests, media, data and weights, so that equal things can be known as equal later."""

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.media.encode import content_hash
from viewfinder.media.image import Picture
from viewfinder.media.source import DEFAULT_LIMITS, Limits, local_path, read_source
from viewfinder.messages import ImagePart, Message, TextPart, VideoPart

_WHOLE = 8 << 20
_ENDS = 1 << 20


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, 32 hex digits."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def digest_media(source: Any) -> str:
    """Hash of a medium's bytes: of files over 8 MiB their size, first and last MiB; of pictures their pixels; of files
    that this program drew what was drawn, since an encoder's bytes change with its version.
    """
    if isinstance(source, (list, tuple)):
        return digest([digest_media(frame) for frame in source])
    if isinstance(source, bytes):
        return content_hash(source)[:32]
    if isinstance(source, Image.Image):
        return digest([source.mode, *source.size, hashlib.sha256(source.tobytes()).hexdigest()])
    if isinstance(source, np.ndarray):
        return digest([source.shape, str(source.dtype), hashlib.sha256(source.tobytes()).hexdigest()])
    if isinstance(source, io.BytesIO):
        return digest_media(source.getvalue())
    path = Path(str(source))
    return digest_file(path) if path.is_file() else digest(str(source))


def digest_file(path: Path) -> str:
    """As `digest_media`, for a file."""
    size = path.stat().st_size
    hashed = hashlib.sha256(str(size).encode())
    with path.open("rb") as content:
        if size <= _WHOLE:
            hashed.update(content.read())
        else:
            hashed.update(content.read(_ENDS))
            content.seek(size - _ENDS)
            hashed.update(content.read())
    return hashed.hexdigest()[:32]


def digest_content(source: Any, limits: Limits = DEFAULT_LIMITS) -> str:
    """SHA-256 of all that a medium holds: every byte of a file, URL or bytes, every pixel of a picture in memory.

    Raises:
        MediaError: it cannot be read.
    """
    if isinstance(source, Picture):
        return digest([source.transform.to_dict(), digest_content(source.image)])
    if isinstance(source, Image.Image):
        return digest([source.mode, *source.size, hashlib.sha256(source.tobytes()).hexdigest()])
    if (path := local_path(source, limits)) is None:
        return hashlib.sha256(read_source(source, limits)).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_messages(messages: Sequence[Message]) -> list[Any]:
    """A conversation as JSON, its media by their hashes."""
    return [
        {"role": m.role, "parts": [_part(part) for part in m.parts], "calls": [c.model_dump() for c in m.tool_calls]}
        for m in messages
    ]


def _part(part: Any) -> Any:
    if isinstance(part, TextPart):
        return part.text
    named = {ImagePart: "image", VideoPart: "video"}.get(type(part), "document")
    rest = {k: v for k, v in part.__dict__.items() if k != named and v is not None}
    return {**rest, named: digest_media(getattr(part, named))}


def digest_folder(folder: Path, patterns: Iterable[str] = ("*.json", "*.safetensors", "*.txt")) -> str:
    """Hash of a checkpoint directory: its files by name and content."""
    files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    return digest({path.name: digest_file(path) for path in files})
