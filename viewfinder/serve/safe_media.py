"""Documents and clips of strangers as the jobs take them: every page and frame is decoded in the sandbox."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from viewfinder.errors import MediaError
from viewfinder.media.document import Word
from viewfinder.media.frames import VideoInfo
from viewfinder.media.image import Picture
from viewfinder.media.sandbox import SafePage, Sandbox
from viewfinder.media.source import Limits

_AHEAD = 16_000_000
"""Pixels of pages that one job of a decoder draws for a task."""


class SafePages:
    """Pages as `chat.documents` wants an open document, a few drawn ahead of time.

    Args:
        pages: numbers from 0; None is all.
        most: pixels in all.
        options: of `Sandbox.pages`: resolution and longest side.

    Raises:
        LimitError: over `most` pixels in all, or a page is named twice; nothing was drawn then.
    """

    name = "the document"
    digest = ""

    def __init__(
        self,
        sandbox: Sandbox,
        limits: Limits,
        data: bytes,
        pages: tuple[int, ...] | None,
        most: int,
        options: Mapping[str, Any],
    ) -> None:
        self._sandbox, self._limits, self._data, self._options = sandbox, limits, data, options
        self.count, self._sizes = sandbox.measure_pages(data, limits, pages=pages, total_pixels=most, **options)
        self._drawn: dict[int, SafePage] = {}

    def __len__(self) -> int:
        return self.count

    @property
    def numbers(self) -> list[int]:
        return sorted(self._sizes)

    def picture(self, index: int) -> Picture:
        return self._page(index).picture

    def words(self, index: int, picture: Picture) -> tuple[Word, ...]:
        return self._page(index).words

    def _page(self, index: int) -> SafePage:
        if index not in self._drawn:
            ahead = self._ahead(index)
            try:
                drawn = self._draw(ahead)
            except MediaError:  # one of them: the others are not to suffer
                if len(ahead) == 1:
                    raise
                drawn = self._draw((index,))
            self._drawn = {page.number: page for page in drawn}
        return self._drawn[index]

    def _ahead(self, index: int) -> tuple[int, ...]:
        """The page and those after it that come to `_AHEAD` pixels with it."""
        chosen, left = [index], _AHEAD - self._sizes[index]
        for number in self.numbers[self.numbers.index(index) + 1 :]:
            left -= self._sizes[number]
            if left < 0:
                break
            chosen.append(number)
        return tuple(chosen)

    def _draw(self, numbers: tuple[int, ...]) -> list[SafePage]:
        return self._sandbox.pages(self._data, self._limits, pages=numbers, words=True, **self._options)


class SafeVideo:
    """A clip that only the sandbox decodes, in the form of a `media.frames.FrameSource` that can be probed."""

    is_list = False
    name = "the clip"

    def __init__(self, data: bytes, info: VideoInfo) -> None:
        self.data, self.info = data, info
        self.times = np.zeros(0)

    def read(self, *_: Any, **__: Any) -> tuple[str, ...]:
        raise MediaError("the frames of this clip are decoded elsewhere")
