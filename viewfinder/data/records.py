"""A `Sample` as JSON and files, and back: what stands in a shard, one record and its media.

Pictures given as files keep their bytes; drawn ones are written as PNG (or as asked). Frames of a drawn
clip stand below one another in one picture, so nothing of them is lost. Values of `truth` come back as JSON
has them: tuples as lists.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.data.sample import SCHEMA_VERSION, Sample
from viewfinder.errors import DataError
from viewfinder.media.encode import encode_picture
from viewfinder.media.image import Picture, load_image
from viewfinder.media.source import read_source
from viewfinder.messages import ImagePart, Message, TextPart, ToolCall, VideoPart

Files = dict[str, bytes]
_SAVE: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG", "compress_level": 2},
    "jpeg": {"format": "JPEG", "quality": 92, "subsampling": 0},
    "webp": {"format": "WEBP", "lossless": True, "method": 1},
}
_OTHER = "rejected_messages"
"""In `truth`: the conversation of the worse answer, where it is about other media."""
_MAGIC = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpg"), (b"GIF8", "gif"), (b"BM", "bmp"), (b"II*\0", "tif"))


def sample_to_record(sample: Sample, image_format: str = "png") -> tuple[dict[str, Any], Files]:
    """JSON-ready fields, and the media by the names they have in it ("0.png")."""
    files: Files = {}
    record: dict[str, Any] = {"version": SCHEMA_VERSION}
    for each in fields(Sample):
        value = getattr(sample, each.name)
        if each.name == "messages":
            value = [_message(message, files, image_format) for message in sample.messages]
        elif each.name == "rejected" and value is not None:
            value = _message(value, files, image_format)
        elif each.name == "truth" and _OTHER in sample.truth:
            value = {
                **sample.truth,
                _OTHER: [_message(message, files, image_format) for message in sample.truth[_OTHER]],
            }
        record[each.name] = value
    return record, files


def dump(record: Mapping[str, Any]) -> bytes:
    """The record's bytes; equal records have equal bytes."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def record_to_sample(record: Mapping[str, Any], files: Mapping[str, bytes]) -> Sample:
    """The inverse of `sample_to_record`.

    Raises:
        DataError: a record of another version, with missing fields, or without its media.
    """
    if record.get("version") != SCHEMA_VERSION:
        raise DataError(
            f"a record has schema version {record.get('version')!r}, this program reads {SCHEMA_VERSION}; "
            "build the set again or use the program that wrote it"
        )
    known = {each.name for each in fields(Sample)}
    values = {key: value for key, value in record.items() if key in known}
    if "licence" in record:  # sets of version 0.1 spelt it so
        values["license"] = record["licence"]
    try:
        values["messages"] = tuple(_read_message(raw, files) for raw in record["messages"])
        if values.get("rejected") is not None:
            values["rejected"] = _read_message(values["rejected"], files)
        if _OTHER in (values.get("truth") or {}):
            other = tuple(_read_message(raw, files) for raw in values["truth"][_OTHER])
            values["truth"] = {**values["truth"], _OTHER: other}
    except KeyError as error:
        raise DataError(f"a record lacks {error}, so its conversation is incomplete; build the set again") from error
    for key in ("seed", "lineage", "forms", "tags"):
        values[key] = tuple(values.get(key) or ())
    return Sample(**values)


def _message(message: Message, files: Files, image_format: str) -> dict[str, Any]:
    content = [_part(part, files, image_format) for part in message.parts]
    calls = [call.model_dump(exclude={"type"}) for call in message.tool_calls]
    about = {**({"tool_calls": calls} if calls else {}), **({} if message.trained else {"trained": False})}
    return {"role": message.role, "content": content, **about}


def _part(part: Any, files: Files, image_format: str) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        name, data = _image_file(part.image, image_format)
        settings = part.model_dump(exclude={"image"}, exclude_none=True)
        return {**settings, "media": _keep(files, name, data)}
    if isinstance(part, VideoPart):
        settings = part.model_dump(exclude={"video"}, exclude_none=True)
        if isinstance(part.video, list | tuple):
            strip = np.concatenate([np.asarray(_to_image(frame)) for frame in part.video])
            name, data = _image_file(Image.fromarray(strip), image_format)
            return {**settings, "frames": len(part.video), "media": _keep(files, f"frames.{name}", data)}
        suffix = Path(str(part.video)).suffix[1:].lower() if isinstance(part.video, str | Path) else ""
        return {
            **settings,
            "media": _keep(files, suffix if suffix.isalnum() and suffix else "mp4", read_source(part.video)),
        }
    raise DataError(
        f"a sample holds a {type(part).__name__}, which shards do not carry; make pages pictures first (sources.pdf)"
    )


def _keep(files: Files, suffix: str, data: bytes) -> str:
    name = f"{len(files)}.{suffix}"
    files[name] = data
    return name


def _to_image(source: Any) -> Image.Image:
    image = source if isinstance(source, Image.Image) else load_image(source).image
    return image if image.mode == "RGB" else image.convert("RGB")


def _image_file(source: Any, image_format: str) -> tuple[str, bytes]:
    """Suffix and bytes: as they are for files, encoded for pictures in memory."""
    if not isinstance(source, Image.Image | Picture | np.ndarray):
        data = read_source(source)
        return next((suffix for magic, suffix in _MAGIC if data.startswith(magic)), "webp"), data
    image = source.image if isinstance(source, Picture) else source
    suffix = {"jpeg": "jpg"}.get(image_format, image_format)
    return suffix, encode_picture(_to_image(image), **_SAVE[image_format])


def _read_message(raw: Mapping[str, Any], files: Mapping[str, bytes]) -> Message:
    parts = tuple(_read_part(dict(part), files) for part in raw["content"])
    calls = tuple(ToolCall(**call) for call in raw.get("tool_calls", ()))
    return Message(role=raw["role"], parts=parts, tool_calls=calls, trained=raw.get("trained", True))


def _read_part(raw: dict[str, Any], files: Mapping[str, bytes]) -> Any:
    kind = raw.pop("type")
    if kind == "text":
        return TextPart(text=raw["text"])
    data = files[raw.pop("media")]
    if kind == "image":
        return ImagePart(image=data, **raw)
    count = raw.pop("frames", None)
    if count is None:
        return VideoPart(video=data, **raw)
    strip = np.asarray(load_image(data).image)
    frames = [Image.fromarray(frame) for frame in strip.reshape(count, -1, *strip.shape[1:])]
    return VideoPart(video=frames, **raw)
