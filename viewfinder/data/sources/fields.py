"""A row of named fields as a sample: what parquet files, WebDatasets and lists of metadata have in common.

Pictures are in `image` or `images` (bytes, a path, or `{"bytes": ..., "path": ...}`); what is said is, in this order,
`conversations` or `messages`, `question` and `answer`, or `caption` (also `text`, `txt`, `description`).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample, say
from viewfinder.data.sources.conversations import read_row
from viewfinder.data.sources.rows import new_sample
from viewfinder.errors import DataError
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, Message, TextPart

CAPTIONS = ("caption", "text", "txt", "description")
DESCRIBE = "Describe this image."


def sample_of_fields(fields: Mapping[str, Any], media: Path | None = None, prompt: str = DESCRIBE) -> Sample:
    """The sample of a row.

    Args:
        media: folder of relative paths; None where rows carry their bytes.
        prompt: the user's words before a caption.

    Raises:
        DataError: nothing is said, or a picture is missing.
        MediaError: a picture is damaged.
    """
    about = {key: str(fields.get(key) or "") for key in ("id", "licence", "language", "domain")}
    about["licence"] = about["licence"] or str(fields.get("license") or "")
    turns = fields.get("conversations") or fields.get("messages")
    pictures = [picture_part(source, media) for source in _pictures(fields)]
    if turns is not None:
        return _conversation(turns, pictures, about)
    if fields.get("question") and fields.get("answer") is not None:
        messages = (say("user", *pictures, str(fields["question"])), say("assistant", str(fields["answer"])))
        return new_sample(messages, "ask", truth={"answer": str(fields["answer"])}, **about)
    caption = next((str(fields[key]).strip() for key in CAPTIONS if fields.get(key)), "")
    if not caption:
        raise DataError(
            f"the row has {', '.join(sorted(map(str, fields))) or 'no fields'} and says nothing; "
            f"give conversations, question and answer, or one of {', '.join(CAPTIONS)}"
        )
    if not pictures:
        raise DataError("the row has a caption and no picture; give image or images")
    return new_sample((say("user", *pictures, prompt), say("assistant", caption)), "caption", **about)


def picture_part(source: Any, media: Path | None = None) -> ImagePart:
    """A picture given as bytes, path or `{"bytes", "path"}`; read once here, so a damaged one is found now."""
    if isinstance(source, Mapping):
        source = source.get("bytes") or source.get("path")
    if isinstance(source, str) and media is not None and "://" not in source and not source.startswith("data:"):
        source = str(media / source)
    if source is None:
        raise DataError("the row's picture is empty; give its bytes or a path")
    load_image(source)
    return ImagePart(image=source)


def _pictures(fields: Mapping[str, Any]) -> list[Any]:
    for key in ("images", "image", "file_name", "jpg", "png"):
        value = fields.get(key)
        if value is not None and not (isinstance(value, list) and not value):
            return list(value) if isinstance(value, list | tuple) else [value]
    return []


def _conversation(turns: Any, pictures: list[ImagePart], about: Mapping[str, str]) -> Sample:
    """Turns that name their pictures by `<image>`, with the row's own pictures in their order."""
    turns = json.loads(turns) if isinstance(turns, str) else list(turns)
    names = [f"data:,{i}" for i in range(len(pictures))]  # stand in for the pictures while turns are read
    sample = read_row({"conversations": turns, "images": names}, Path())
    found = iter(pictures)

    def placed(message: Message) -> Message:
        parts = tuple(p if isinstance(p, TextPart) else next(found) for p in message.parts)
        return message.model_copy(update={"parts": parts})

    messages = tuple(placed(message) for message in sample.messages)
    return new_sample(messages, "chat", forms=sample.forms, **about)
