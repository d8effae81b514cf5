"""From what a stranger sent to media that are safe to hold: fetched under the policy, decoded in the sandbox.

Everything a request names passes here before the processor sees it. Sizes are bounded by what the model could
take at most, so that no request can ask for more memory than the longest honest one.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Unpack

from PIL import Image

from viewfinder.engine.async_engine import TenantChat
from viewfinder.errors import ContextLengthError, LimitError, MediaError
from viewfinder.media.document import DEFAULT_DPI
from viewfinder.media.image import Picture
from viewfinder.media.sandbox import SafePage, Sandbox
from viewfinder.media.source import Limits, read_source, scheme_of
from viewfinder.media.video import Clip
from viewfinder.messages import (
    ChatModel,
    ChatOptions,
    DocumentPart,
    ImagePart,
    Message,
    Part,
    Reply,
    Sampling,
    TextPart,
    VideoPart,
)
from viewfinder.processor.loading import fitted, image_budget, video_options
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.serve.body import from_zero
from viewfinder.serve.safe_media import SafePages, SafeVideo
from viewfinder.serve.shares import Shares

_LONGEST_TOKEN = 128
"""Letters: 128 blanks are one token of the official vocabulary."""


class RequestMedia:
    """Fetches and decodes for one server.

    Args:
        context: tokens that the model takes at most.
        max_media: pictures and clips of one request.
        max_pixels: of all pages of one request together, checked before any is drawn; four times as many where pages
            are drawn and let go one after the other.
        fetches: downloads at once, of all tenants.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        limits: Limits,
        *,
        context: int,
        max_media: int,
        max_pixels: int = 256_000_000,
        fetches: int = 32,
    ) -> None:
        self.sandbox, self.limits, self.context, self.max_media = sandbox, limits, context, max_media
        self.max_pixels = max_pixels
        self._fetches = Shares(fetches)

    def for_tenant(self, tenant: str) -> "RequestMedia":
        """The same for one request of a tenant, which `call_off` ends."""
        view = copy.copy(self)
        view.sandbox = self.sandbox.for_tenant(tenant)
        return view

    def call_off(self) -> None:
        """Nobody waits for this request any more: what is being decoded for it ends."""
        self.sandbox.call_off()

    def fetch(self, source: Any) -> bytes:
        """The bytes behind a URL or `data:` URI.

        Raises:
            MediaError, LimitError: as `media.source.read_source`; and for anything but text.
        """
        if not isinstance(source, str):
            raise MediaError(f"a medium is given as a {type(source).__name__}, expected a URL or data: URI as text")
        if scheme_of(source) == "data":
            return read_source(source, self.limits)
        with self._fetches.taken(self.sandbox.tenant, self.limits.timeout) as free:
            if not free:
                raise LimitError("too many downloads are under way; send the file itself as data:, or try again")
            return read_source(source, self.limits)

    def picture(self, source: Any) -> Picture:
        """One picture at its own size."""
        return self.sandbox.image(self.fetch(source), self.limits)

    def pages(self, source: Any, pages: Sequence[int] | None = None, *, at_once: bool = False) -> SafePages:
        """A picture or PDF with its text layer, whose pages are drawn when they are asked for.

        Args:
            at_once: all pages will be held together, so fewer are allowed.
        """
        most = self.max_pixels // 2 if at_once else 4 * self.max_pixels
        chosen = None if pages is None else tuple(pages)
        return SafePages(self.sandbox, self.limits, self.fetch(source), chosen, most, self.page_options)

    @property
    def page_options(self) -> dict[str, Any]:
        """How pages are drawn for tasks and for the playground."""
        return {"dpi": DEFAULT_DPI, "max_pixels": self.limits.max_pixels // 8}

    def some_pages(self, source: Any, numbers: Sequence[int]) -> tuple[Iterator[SafePage], int]:
        """Those pages of `numbers` that exist, drawn one by one as `pages` draws them; how many there are in all."""
        data = source if isinstance(source, bytes) else self.fetch(source)
        given = {**self.page_options, "only_existing": True}
        count, sizes = self.sandbox.measure_pages(
            data, self.limits, pages=tuple(numbers), total_pixels=self.max_pixels, **given
        )
        drawn = (self.sandbox.pages(data, self.limits, pages=(number,), **self.page_options)[0] for number in sizes)
        return drawn, count

    def video(self, source: Any) -> SafeVideo:
        """A clip, probed; its frames are decoded when a window of it is asked about."""
        data = self.fetch(source)
        return SafeVideo(data, self.sandbox.probe(data, self.limits))

    def resolve(self, messages: Sequence[Message], settings: ProcessorSettings) -> tuple[Message, ...]:
        """Messages whose media are pictures and clips of the model's size.

        Raises:
            MediaError: a medium cannot be read (`LimitError`: is over a cap).
            ContextLengthError: the media alone are more than the model takes, or the texts are, by their letters.
        """
        letters = sum(len(part.text) for message in messages for part in message.parts if isinstance(part, TextPart))
        if letters > self.context * _LONGEST_TOKEN:  # making tokens of them would take minutes and gigabytes
            raise ContextLengthError(
                f"the texts have {letters:,} letters, more than fit into the {self.context:,} tokens that the model "
                "takes; send less"
            )
        room = _Room(self.context, self.max_media)
        result: list[Message] = []
        for message in messages:
            parts = tuple(new for part in message.parts for new in self._resolve(part, settings, room))
            result.append(message.model_copy(update={"parts": parts}))
        return tuple(result)

    def _resolve(self, part: Part, settings: ProcessorSettings, room: "_Room") -> Iterator[Part]:
        if isinstance(part, TextPart):
            yield part
        elif isinstance(part, ImagePart):
            yield self._image(part, settings, room)
        elif isinstance(part, DocumentPart):
            yield from self._document(part, settings, room)
        else:
            yield self._video(part, settings, room)

    def _image(self, part: ImagePart, settings: ProcessorSettings, room: "_Room") -> ImagePart:
        room.enter(1)
        part = _bounded(part, self.context * settings.factor**2)
        if isinstance(part.image, Picture):  # decoded before, by a job
            return part
        picture = self.sandbox.image(self.fetch(part.image), self.limits, image_budget(part, settings))
        room.take(picture.size[0] * picture.size[1] // settings.factor**2)
        return fitted(picture)

    def _document(self, part: DocumentPart, settings: ProcessorSettings, room: "_Room") -> Iterator[ImagePart]:
        budget = min(part.max_pixels or settings.max_pixels, self.context * settings.factor**2)
        data = self.fetch(part.document)
        if b"%PDF-" not in data[:1024]:
            raise MediaError(f"the document is no PDF (it begins with {data[:8]!r}); give pictures as images")
        pages = self.sandbox.pages(
            data,
            dataclasses.replace(self.limits, max_pages=min(self.limits.max_pages, max(room.media, 1))),
            pages=from_zero(part.pages),
            password=part.password,
            dpi=DEFAULT_DPI,
            max_pixels=max(budget, 10_000) * 4,
            total_pixels=min(self.max_pixels, max(room.left, 1) * settings.factor**2 * 8),
        )
        room.enter(len(pages))
        for page in pages:
            room.take(max(1, min(page.picture.size[0] * page.picture.size[1], budget) // settings.factor**2 // 2))
            yield ImagePart(image=page.picture, min_pixels=part.min_pixels, max_pixels=part.max_pixels)

    def _video(self, part: VideoPart, settings: ProcessorSettings, room: "_Room") -> VideoPart:
        room.enter(1)
        part = _bounded(part, self.context * settings.factor**2)
        if isinstance(part.video, Clip):
            return part
        if isinstance(part.video, list | tuple):
            return part.model_copy(update={"video": self._frames(part, settings, room)})
        data = part.video.data if isinstance(part.video, SafeVideo) else self.fetch(part.video)
        options = video_options(part, settings, is_list=False)
        options["total_pixels"] = min(options["total_pixels"], self.context * settings.factor**2)
        clip = self.sandbox.clip(data, self.limits, **options)
        room.take(len(clip.frames) // 2 * clip.frames.shape[1] * clip.frames.shape[2] // settings.factor**2)
        return VideoPart(video=clip)

    def _frames(self, part: VideoPart, settings: ProcessorSettings, room: "_Room") -> list[Image.Image]:
        """Pictures that somebody chose as frames, none larger than a frame may be."""
        if len(part.video) > self.limits.max_frames:
            raise LimitError(f"the clip has {len(part.video):,} pictures, over the {self.limits.max_frames:,} allowed")
        most = max(part.max_pixels or settings.video_max_pixels, settings.factor**2)
        budget = {"min_pixels": settings.factor**2, "max_pixels": most, "factor": settings.factor}
        frames: list[Image.Image] = []
        for frame in part.video:
            picture = self.sandbox.image(self.fetch(frame), self.limits, budget)
            room.take(picture.size[0] * picture.size[1] // settings.factor**2 // 2)
            frames.append(picture.image)
        return frames


class _Room:
    """What is left of the context and of the number of media while a request is read."""

    def __init__(self, tokens: int, media: int) -> None:
        self.tokens, self.left, self.most, self.media = tokens, tokens, media, media

    def enter(self, count: int) -> None:
        self.media -= count
        if self.media < 0:
            raise LimitError(f"the request has over {self.most} pictures, pages and clips; send fewer")

    def take(self, tokens: int) -> None:
        self.left -= tokens
        if self.left < 0:
            raise ContextLengthError(
                f"the media alone have over {self.tokens} tokens, the most the model takes; use fewer or smaller "
                "ones (max_pixels, total_pixels)"
            )


def _bounded(part: Any, most: int) -> Any:
    """The part with upper bounds that the model could take; a lower bound above them is refused."""
    fixed = (part.resized_height or 1) * (part.resized_width or 1)
    if (part.min_pixels or 1) > most or fixed > most or max(part.resized_height or 1, part.resized_width or 1) > 2**15:
        raise LimitError(
            f"min_pixels or resized_height x resized_width ask for over {most:,} pixels, more than the model takes; "
            "lower them"
        )
    return part.model_copy(update={"max_pixels": most}) if part.max_pixels and part.max_pixels > most else part


class ContainedChat(ChatModel):
    """A tenant's `ChatModel` for media of strangers: they pass `RequestMedia` first."""

    def __init__(
        self, chat: TenantChat, request_media: RequestMedia, note: Callable[[Reply], None] | None = None
    ) -> None:
        self.chat_model, self.request_media, self._note = chat, request_media, note

    @property
    def sampling(self) -> Sampling:
        return self.chat_model.sampling

    def stream(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Iterator[str | Reply]:
        safe = self.request_media.resolve(messages, self.chat_model.processor.settings)
        for event in self.chat_model.stream(safe, **options):
            if isinstance(event, Reply) and self._note is not None:
                self._note(event)
            yield event
