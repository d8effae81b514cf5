"""`Viewfinder`: the jobs people have, over any `ChatModel`.

Each job is a prompt (the official wording), a grammar bounded by the picture at hand, and a parser that
gives values in pixels of the original picture. Knows no tensors.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from viewfinder.chat.in_threads import in_thread
from viewfinder.chat.job_options import ChartOptions, ExtractOptions, ParseJobOptions, SpanOptions
from viewfinder.chat.media_parts import Media, to_parts
from viewfinder.errors import check_names
from viewfinder.media.image import Picture, load_image
from viewfinder.message_parsing import parse_messages
from viewfinder.messages import ChatModel, ChatOptions, ImagePart, Message, Reply, Sampling, TextPart, user
from viewfinder.outputs import grammars, prompts
from viewfinder.outputs.boxes import Box, parse_boxes
from viewfinder.outputs.counts import Count, parse_count
from viewfinder.outputs.families import Profile
from viewfinder.outputs.points import Point, parse_points
from viewfinder.outputs.results import Answer, Found, confidence, transform_of
from viewfinder.processor.processor import Processor

if TYPE_CHECKING:  # the jobs on documents and clips are imported when they are asked for
    from pydantic import BaseModel

    from viewfinder.chat.documents import ChartReading, Extraction
    from viewfinder.media.video import Clip
    from viewfinder.outputs.document import Document
    from viewfinder.outputs.spans import Span

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Shape = TypeVar("_Shape", bound="BaseModel")
_Place = TypeVar("_Place", Box, Point)


class Viewfinder:
    """A model and the jobs it can do.

    Args:
        model: anything that answers messages.
        processor: brings pictures to the model's size before it is asked, so that grammars can be bounded; the
            official settings when None, as other engines use.
        profile: how a fine-tune is asked and answers (`viewfinder.outputs.families`), used by `read` and `point`; the
            official conventions when None.
    """

    def __init__(self, model: ChatModel, processor: Processor | None = None, profile: Profile | None = None) -> None:
        self.model = model
        self.profile = profile or Profile()
        self.processor = processor or Processor.official()

    def __repr__(self) -> str:
        name = type(self.model).__name__
        settings = self.processor.settings
        return f"Viewfinder({name}, pictures of {settings.min_pixels} to {settings.max_pixels} pixels)"

    def map(
        self,
        job: "Callable[[Viewfinder, _Item], _Result]",
        items: Iterable[_Item],
        *,
        batch_size: int = 8,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[_Result]:
        """Results of `job` for each item, in order, with `batch_size` requests in one batch of the model.

            for found in viewfinder.map(lambda v, path: v.locate(path, "every cup"), paths, progress=print):

        Args:
            job: is given a `Viewfinder` that threads share, and an item.
            progress: called with the number of items done.
        """
        from concurrent.futures import ThreadPoolExecutor

        from viewfinder.chat.batching import batched

        with batched(self, batch_size) as shared, ThreadPoolExecutor(batch_size) as pool:
            for done, result in enumerate(pool.map(partial(job, shared), items), 1):
                if progress is not None:
                    progress(done)
                yield result

    def ask(
        self, media: "Media | Sequence[Media] | None", question: str, *, sampling: Sampling | None = None
    ) -> Answer:
        """Answer a question in free text about one picture or clip, a list of them, or none (`None`)."""
        reply = self.model.chat([user(*to_parts(media), question)], sampling=sampling)
        return Answer(reply.text, reply, confidence(reply))

    def stream(
        self, media: "Media | Sequence[Media] | None", question: str, *, sampling: Sampling | None = None
    ) -> Iterator[str | Reply]:
        """As `ask`: pieces of text as they come, then the `Reply`."""
        return self.model.stream([user(*to_parts(media), question)], sampling=sampling)

    def chat(self, messages: Sequence[Any], **options: Unpack[ChatOptions]) -> Reply:
        """Continue a conversation in OpenAI's or the official shape; options as in `ChatModel.chat`."""
        conversation: tuple[Message, ...] = parse_messages(messages)
        return self.model.chat(conversation, **options)

    def locate(
        self, image: Media, query: str, *, verify: bool = False, max_items: int = 100, sampling: Sampling | None = None
    ) -> Found[Box]:
        """Boxes of everything that fits `query`, in pixels of the original picture; empty when nothing does.

        Args:
            verify: look again at a crop around each box and set `verified`.
            max_items: longest list that may be answered.
        """
        picture = load_image(image)
        part = self.processor.fit(picture)
        grammar = grammars.boxes_grammar(*part.image.size, max_items=max_items)
        reply = self._look(part, prompts.locate_prompt(query), grammar, sampling)
        boxes = [_with_confidence(box, reply) for box in parse_boxes(reply.text, transform_of(reply, part))]
        if verify:
            boxes = [dataclasses.replace(box, verified=self._holds(picture, box, query, sampling)) for box in boxes]
        return Found(boxes, reply, picture)

    def point(
        self, image: Media, query: str, *, max_items: int = 100, sampling: Sampling | None = None
    ) -> Found[Point]:
        """Points on everything that fits `query`, in pixels of the original picture."""
        picture = load_image(image)
        part = self.processor.fit(picture)
        own = self.profile.has_own_points
        grammar = None if own else grammars.points_grammar(*part.image.size, max_items=max_items)
        prompt = self.profile.prompt("point", prompts.point_prompt(query), query)
        reply = self._look(part, prompt, grammar, sampling, self.profile.system_prompt(part.image.size))
        parse = self.profile.points if own else parse_points
        points = parse(reply.text, transform_of(reply, part))
        return Found((_with_confidence(point, reply) for point in points), reply, picture)

    def count(self, image: Media, query: str, *, max_items: int = 100, sampling: Sampling | None = None) -> Count:
        """How many things fit `query`: the model first points at each, then says the number."""
        part = self.processor.fit(image)
        grammar = grammars.count_grammar(*part.image.size, max_items=max_items, places="points")
        reply = self._look(part, prompts.count_prompt(query), grammar, sampling)
        count = parse_count(reply.text) or Count(0)
        points = tuple(_with_confidence(point, reply) for point in parse_points(reply.text, transform_of(reply, part)))
        return dataclasses.replace(count, points=points, reply=reply, confidence=confidence(reply))

    def read(self, image: Media, *, sampling: Sampling | None = None) -> Answer:
        """All text in a picture, in lines."""
        reply = self._look(ImagePart(image=image), self.profile.prompt("read", prompts.read_prompt()), None, sampling)
        text, about = self.profile.text(reply.text)
        return Answer(text, reply, confidence(reply), about)

    def spot(self, image: Media, *, max_items: int = 100, sampling: Sampling | None = None) -> Found[Box]:
        """Each line of text (`Box.text`) with its box in pixels of the original picture."""
        picture = load_image(image)
        part = self.processor.fit(picture)
        grammar = grammars.boxes_grammar(*part.image.size, max_items=max_items, key="text_content")
        reply = self._look(part, prompts.spotting_prompt(), grammar, sampling)
        boxes = parse_boxes(reply.text, transform_of(reply, part))
        return Found((_with_confidence(box, reply) for box in boxes), reply, picture)

    def moments(self, video: "Media | Clip", query: str, **options: Unpack[SpanOptions]) -> "Found[Span]":
        """When `query` happens, in seconds of the original clip, however long it is.

        Options as in `viewfinder.chat.moments.find_spans`: `fps`, `window`, `sampling`, `resume`, `progress`.
        """
        from viewfinder.chat.moments import find_spans, moments_question

        check_names(options, SpanOptions.__annotations__, "option of moments")
        return find_spans(self.model, self.processor, video, moments_question(query), **options)

    def describe(self, video: "Media | Clip", **options: Unpack[SpanOptions]) -> "Found[Span]":
        """All events of a clip with their times (dense captions); options as in `moments`."""
        from viewfinder.chat.moments import describe_question, find_spans

        return find_spans(self.model, self.processor, video, describe_question(), **options)

    def parse(
        self, source: Media, *, check: bool = True, correct: bool = False, **options: Unpack[ParseJobOptions]
    ) -> "Document":
        """A picture or PDF as a typed `Document`, page by page.

        Args:
            check: compare with the text layer of a digital PDF, and with whether anything is drawn.
            correct: put the words of the text layer in the place of others.
            options: as in `viewfinder.chat.documents.parse`.
        """
        from viewfinder.chat.documents import parse_document
        from viewfinder.chat.documents.parse import ParseOptions
        from viewfinder.media.source import DEFAULT_LIMITS

        check_names(options, ParseJobOptions.__annotations__, "option of parse")
        reading = ParseOptions(options.get("max_pixels"), check, correct, options.get("sampling"))
        return parse_document(
            *(self.model, self.processor, source, reading),
            pages=options.get("pages"),
            resume=options.get("resume"),
            progress=options.get("progress"),
            workers=options.get("workers", 1),
            limits=options.get("limits", DEFAULT_LIMITS),
            password=options.get("password"),
        )

    @overload
    def extract(self, source: Media, shape: type[_Shape], **options: Unpack[ExtractOptions]) -> _Shape: ...
    @overload
    def extract(
        self, source: Media, shape: dict[str, Any] | Sequence[str], **options: Unpack[ExtractOptions]
    ) -> Any: ...
    def extract(self, source: Media, shape: Any, **options: Unpack[ExtractOptions]) -> Any:
        """Values of a picture or PDF: an instance of a pydantic model, or JSON by a schema or a list of names.

        Options as in `viewfinder.chat.documents.extract`.
        """
        return self.extraction(source, shape, **options).value

    @overload
    def extraction(
        self, source: Any, shape: type[_Shape], **options: Unpack[ExtractOptions]
    ) -> "Extraction[_Shape]": ...
    @overload
    def extraction(self, source: Any, shape: Any, **options: Unpack[ExtractOptions]) -> "Extraction[Any]": ...
    def extraction(self, source: Any, shape: Any, **options: Unpack[ExtractOptions]) -> "Extraction[Any]":
        """As `extract`, with the page and box each value was read from."""
        from viewfinder.chat.documents import extract

        check_names(options, ExtractOptions.__annotations__, "option of extract")
        return extract(self.model, self.processor, source, shape, **options)

    def chart(self, image: Media, **options: Unpack[ChartOptions]) -> "ChartReading":
        """The values of a chart as a table; `to_pandas()` gives a DataFrame."""
        from viewfinder.chat.documents import read_chart

        check_names(options, ChartOptions.__annotations__, "option of chart")
        return read_chart(self.model, self.processor, image, **options)

    aask, achat = in_thread(ask), in_thread(chat)
    alocate, apoint, acount = in_thread(locate), in_thread(point), in_thread(count)
    aread, aspot, aparse, achart = in_thread(read), in_thread(spot), in_thread(parse), in_thread(chart)
    aextract, aextraction = in_thread(extract), in_thread(extraction)
    amoments, adescribe = in_thread(moments), in_thread(describe)

    def _look(
        self, part: ImagePart, prompt: str, grammar: str | None, sampling: Sampling | None, system: str = ""
    ) -> Reply:
        before = [Message(role="system", parts=(TextPart(text=system),))] if system else []
        return self.model.chat([*before, user(part, prompt)], grammar=grammar, sampling=sampling)

    def _holds(self, picture: Picture, box: Box, query: str, sampling: Sampling | None) -> bool:
        """Whether a closer look at the box and as much around it finds the same thing in the same place."""
        margin_x, margin_y = max(14.0, box.x2 - box.x1), max(14.0, box.y2 - box.y1)
        around = (box.x1 - margin_x, box.y1 - margin_y, box.x2 + margin_x, box.y2 + margin_y)
        closer = picture.crop(picture.transform.clamp_box_original(around))
        return any(box.overlap(other) >= 0.5 for other in self.locate(closer, query, sampling=sampling))


def _with_confidence(place: _Place, reply: Reply) -> _Place:
    return dataclasses.replace(place, confidence=confidence(reply, *place.source) if place.source else None)
