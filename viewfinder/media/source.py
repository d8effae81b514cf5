"""From whatever names a medium to its bytes: path, bytes, open file, http(s) or file URL, `data:` URI.

Knows the caps (`Limits`) that every reader of this package obeys. Does not know what the bytes mean,
and leaves talking to servers to `fetch`.
"""

import base64
import binascii
import io
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.fetch import UrlPolicy, fetch

_CHUNK = 1 << 22


@dataclass(frozen=True)
class Limits:
    """What one source may cost. Every cap has a default that ordinary media never meet.

    Attributes:
        max_bytes: of a source that is read into memory (a video file on disk is not).
        max_pixels: width x height of one picture, page or frame, checked before decoding.
        max_pages: of one document that are asked for at once.
        max_seconds: duration of one video.
        max_frames: frames that one video may give to the model.
        timeout: seconds for a whole download.
        url_policy: which addresses may be asked.
        allow_files: whether paths and file:// are read at all; a server says no.
    """

    max_bytes: int = 512 * 2**20
    max_pixels: int = 178_000_000
    max_pages: int = 2000
    max_seconds: float = 24 * 3600.0
    max_frames: int = 100_000
    timeout: float = 60.0
    url_policy: UrlPolicy = field(default_factory=UrlPolicy)
    allow_files: bool = True


DEFAULT_LIMITS = Limits()


def read_source(source: Any, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes behind `source`: a path, bytes, an open binary file, an http(s) or file URL, or a `data:` URI.

    Raises:
        LimitError: more bytes than `limits.max_bytes`.
        MediaError: nothing there, not readable, or refused by the policy.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        _check_size(len(source), source, limits)
        return bytes(source)
    sink = io.BytesIO()
    copy_source(source, sink, limits)
    return sink.getvalue()


def copy_source(source: Any, sink: IO[bytes], limits: Limits = DEFAULT_LIMITS) -> None:
    """Write the bytes behind `source` to an open file, in pieces; errors as in `read_source`."""
    if scheme_of(source) in ("http", "https"):
        fetch(source.strip(), sink, policy=limits.url_policy, max_bytes=limits.max_bytes, timeout=limits.timeout)
    elif scheme_of(source) == "data":
        sink.write(_decode_data_uri(source, limits))
    elif hasattr(source, "read"):
        _copy_open_file(source, source, sink, limits)
    else:
        path = local_path(source, limits)
        assert path is not None
        try:
            with path.open("rb") as file:
                _copy_open_file(file, source, sink, limits)
        except OSError as error:
            raise MediaError(
                f"{describe_source(source)} cannot be read ({error.strerror}); check its permissions"
            ) from error


def local_path(source: Any, limits: Limits = DEFAULT_LIMITS) -> Path | None:
    """The path that `source` names, or None when it is not a path (bytes, a URL, an open file).

    Raises:
        MediaError: no such file, a directory, an unknown URL scheme, or files are not allowed here.
    """
    if isinstance(source, str):
        scheme = scheme_of(source)
        if scheme in ("http", "https", "data"):
            return None
        if "://" in source and scheme != "file" and scheme.isalpha():
            raise MediaError(f"{describe_source(source)} has the scheme {scheme!r}, expected http, https, file or data")
        path = Path(unquote(urlsplit(source).path)) if "://" in source and scheme == "file" else Path(source)
    elif isinstance(source, Path):
        path = source
    else:
        if not isinstance(source, (bytes, bytearray, memoryview)) and not hasattr(source, "read"):
            raise MediaError(f"a {type(source).__name__} is no media source; give a path, bytes, URL or data: URI")
        return None
    if not limits.allow_files:
        raise MediaError(
            f"{describe_source(source)} is a local file, and files may not be named here; send it as data:"
        )
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise MediaError(f"there is no file {describe_source(source)}; check the path") from error
    if stat.S_ISDIR(mode):
        raise MediaError(f"{describe_source(source)} is a directory, expected a file; name one of the files in it")
    return path


def scheme_of(source: Any) -> str:
    """The scheme of a URL in lower case, as any spelling is legal: `DATA:` is `data`; empty for what is no text."""
    return source.lstrip()[:16].partition(":")[0].lower() if isinstance(source, str) and ":" in source else ""


def describe_source(source: Any) -> str:
    """A short name for messages: a file's name, a URL without its query, or the kind and size of bytes."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"data of {len(source):,} bytes"
    if isinstance(source, Path):
        return _shorten(source.name or str(source))
    if isinstance(source, str):
        if scheme_of(source) == "data":
            return f"{_shorten(source[:40].partition(',')[0].partition(';')[0])} URI"
        if "://" in source[:12]:
            parts = urlsplit(source)
            return _shorten(f"{parts.hostname or ''}{parts.path}")
        return _shorten(Path(source).name or source)
    size = getattr(source, "size", None)
    if isinstance(size, tuple) and len(size) == 2:
        return f"image {size[0]}x{size[1]}"
    name = getattr(source, "name", None)
    return _shorten(Path(name).name) if isinstance(name, str) and name else f"a {type(source).__name__}"


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:28]}...{text[-28:]}"


def _copy_open_file(file: Any, source: Any, sink: IO[bytes], limits: Limits) -> None:
    """At most one chunk beyond the cap is read, so that an endless device is refused, not swallowed."""
    received = 0
    while True:
        chunk = file.read(_CHUNK)
        if isinstance(chunk, str):
            raise MediaError(f"{describe_source(source)} is open as text; open it in binary mode ('rb')")
        if not chunk:
            return
        received += len(chunk)
        _check_size(received, source, limits)
        sink.write(chunk)


def _check_size(size: int, source: Any, limits: Limits) -> None:
    if size > limits.max_bytes:
        raise LimitError(
            f"{describe_source(source)} has over {limits.max_bytes:,} bytes, the most allowed; "
            "make it smaller or raise Limits.max_bytes"
        )


def _decode_data_uri(uri: str, limits: Limits) -> bytes:
    head, comma, body = uri.strip().partition(",")
    body = body.partition("#")[0] or body  # without a fragment
    if not comma:
        raise MediaError("a data: URI has no comma before its data; expected data:image/png;base64,...")
    if not re.search(r";\s*base64\s*$", head, re.IGNORECASE):
        data = unquote_to_bytes(body)
        _check_size(len(data), uri, limits)
        return data
    text = "".join(unquote(body).split())
    _check_size(len(text) * 3 // 4 - 2, uri, limits)  # before the copy is made
    try:
        standard = text.replace("-", "+").replace("_", "/").rstrip("=")
        data = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MediaError(f"the base64 of a data: URI is broken ({error}); encode the file again") from error
    _check_size(len(data), uri, limits)
    return data
