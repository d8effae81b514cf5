"""Documents of text and pictures as conversations: a user shows pictures, an assistant's words are the text after them.

The model never writes pictures, so they stand in user turns; all text of the document is trained on, each piece with
everything before it in view. The title is what the user says first.

    text A, picture 1, text B, pictures 2 and 3, text C
    user: title / assistant: A / user: <1> / assistant: B / user: <2><3> / assistant: C
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from viewfinder.data.sample import Sample, say
from viewfinder.data.sources.html_blocks import Shown, WebPage, Words
from viewfinder.data.sources.rows import new_sample
from viewfinder.errors import DataError, ViewfinderError
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, Message

Find = Callable[[str], Any]
"""The picture at an address: bytes or another source, or None where it is not to be had."""
MIN_SIDE = 48
MAX_ASPECT = 6.0
MIN_WORDS = 10


def sample_of_page(page: WebPage, find: Find) -> Sample:
    """The document as a sample; pictures that cannot be had, and icons and rules among them, are left out.

    Raises:
        DataError: fewer than 10 words are left, or the text after the last picture is missing and nothing else is.
    """
    pictures: list[dict[str, Any]] = []
    turns: list[tuple[list[ImagePart], list[str]]] = [([], [])]
    lost = 0
    for block in page.blocks:
        if isinstance(block, Words):
            turns[-1][1].append(block.text)
            continue
        part = _picture(block, find)
        if part is None:
            lost += 1
            continue
        if turns[-1][1]:
            turns.append(([], []))
        turns[-1][0].append(part)
        pictures.append({"alt": block.alt, "caption": block.caption, "address": block.address[:300]})
    if not turns[-1][1]:
        shown = len(turns[-1][0])  # pictures after the last word teach nothing
        turns, pictures = turns[:-1], pictures[: len(pictures) - shown]
    words = sum(len(text.split()) for _, texts in turns for text in texts)
    letters = sum(len(text) for _, texts in turns for text in texts)
    if words < MIN_WORDS and letters < 6 * MIN_WORDS:
        raise DataError(f"the page holds {words} words of content, so it is not worth reading")
    messages: list[Message] = []
    for parts, texts in turns:
        said = [page.title] if not messages and (page.title or not parts) else []
        messages += [say("user", *parts, *said), say("assistant", "\n\n".join(texts))]
    truth = {"title": page.title, "pictures": pictures, "lost_pictures": lost}
    sample = new_sample(messages, "interleaved", truth=truth, language=page.language)
    return replace(sample, domain="web")


def _picture(block: Shown, find: Find) -> ImagePart | None:
    try:
        source = find(block.address)
        if source is None:
            return None
        width, height = load_image(source).size
    except (ViewfinderError, OSError):
        return None
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_ASPECT * min(width, height):
        return None
    return ImagePart(image=source)
