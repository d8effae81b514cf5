"""Checks of a sample before it is trained on. A sample that would teach something false is refused with the reason."""

import re
from collections.abc import Sequence
from itertools import pairwise

from viewfinder.data.sample import Sample
from viewfinder.errors import DataError
from viewfinder.messages import MediaInfo

_PLACE = re.compile(r'"(?:bbox_2d|point_2d)"\s*:\s*\[([^\[\]]*)\]')
_SLACK = 1.0
"""Pixels that a corner may lie outside: rounding, not a mistake."""


def check_conversation(sample: Sample) -> None:
    """Roles in their order and answers that are not empty.

    Synthetic pictures without any text have empty answers on purpose ("read the text"), so those may.

    Raises:
        DataError: what is wrong, in one sentence.
    """
    roles = [message.role for message in sample.messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    unknown = sorted(set(turns) - {"user", "assistant", "tool"})
    if unknown:
        raise DataError(f"roles {', '.join(map(repr, unknown))} are not known; turns are user, assistant and tool")
    if not turns or turns[0] != "user" or turns[-1] != "assistant":
        raise DataError(f"turns are {', '.join(turns) or 'none'}; a conversation begins with user, ends with assistant")
    if any(a == b == "user" or a == b == "assistant" for a, b in pairwise(turns)):
        raise DataError(f"turns are {', '.join(turns)}; user and assistant take turns")
    empty = any(m.role == "assistant" and not m.text.strip() and not m.tool_calls for m in sample.messages)
    if empty and sample.domain != "synthetic":
        raise DataError("an assistant's answer is empty, so nothing but the end would be learnt; give its text")


def check_places(sample: Sample, media: Sequence[MediaInfo]) -> None:
    """Boxes and points of the answers inside the picture they are of, in pixels of the original.

    Raises:
        DataError: names the numbers and the picture's size.
    """
    for i, message in enumerate(sample.messages):
        form = sample.form_of(i)
        if message.role != "assistant" or not media or form not in ("boxes", "points", "inline"):
            continue
        width, height = media[0].original_size
        for match in _PLACE.finditer(message.text):
            try:
                numbers = [float(value) for value in match[1].split(",")]
            except ValueError:
                raise DataError(f"{match[0]} holds something that is no number") from None
            bounds = [width, height] * (len(numbers) // 2)
            if len(numbers) not in (2, 4) or any(
                not -_SLACK <= n <= bound + _SLACK for n, bound in zip(numbers, bounds, strict=True)
            ):
                raise DataError(
                    f"{match[0]} lies outside its picture of {width}x{height}; places are pixels of the original"
                )


def check_length(tokens: int, seq_len: int) -> None:
    """A sample longer than a packed sequence is refused, since truncation would cut answers or media.

    Raises:
        DataError: names both lengths.
    """
    if tokens > seq_len:
        raise DataError(
            f"{tokens} tokens are more than a packed sequence of {seq_len}; raise seq_len, lower max_pixels, or split "
            "the sample"
        )
