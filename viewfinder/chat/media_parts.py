"""Media as users give them, as parts of a message."""

import os
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from viewfinder.media.frames import VIDEO_SUFFIXES, FrameSource
from viewfinder.media.image import Picture
from viewfinder.messages import DocumentPart, ImagePart, Part, VideoPart

if TYPE_CHECKING:
    from PIL.Image import Image

    from viewfinder.chat.documents.sources import Pages

_Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO"
Media: TypeAlias = "_Source | Image | Picture | ImagePart | VideoPart | DocumentPart | FrameSource | Pages"
"""What a picture, clip or document may be given as: path, URL, `data:` URI, bytes, an open file, a PIL image, a
part, or a clip or document that is open already."""


def to_parts(
    media: Any, image_options: dict[str, Any] | None = None, video_options: dict[str, Any] | None = None
) -> list[Part]:
    """Message parts of media given as paths, bytes, pictures or parts; the kind follows the file's suffix."""
    if media is None:
        return []
    parts: list[Part] = []
    for item in media if isinstance(media, (list, tuple)) else [media]:
        name = str(item).split("?")[0].lower() if isinstance(item, (str, os.PathLike)) else ""
        if isinstance(item, (ImagePart, VideoPart, DocumentPart)):
            parts.append(item)
        elif name.endswith(".pdf"):
            parts.append(DocumentPart(document=item, **(image_options or {})))
        elif name.endswith(VIDEO_SUFFIXES):
            parts.append(VideoPart(video=item, **(video_options or {})))
        else:
            parts.append(ImagePart(image=item, **(image_options or {})))
    return parts
