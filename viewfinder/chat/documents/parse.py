"""Parse a document page by page into a `Document`. A run can be resumed, and a failed page does not stop the others.

Each page is drawn, sent to the model, parsed and released before the next one, so memory does not grow with the number
of pages. A blank page is not sent to the model. An answer that repeats itself is generated a second time, with
sampling; if it repeats itself again, it is cut where the repetition begins.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viewfinder.chat.answer_cache import AnswerCache, answer_settings
from viewfinder.chat.documents.asking import model_sampling, worth_keeping
from viewfinder.chat.documents.ink import Ink
from viewfinder.chat.documents.sources import Pages, open_pages, page_numbers
from viewfinder.errors import ViewfinderError
from viewfinder.media.document import Word
from viewfinder.media.image import Picture
from viewfinder.media.source import DEFAULT_LIMITS, Limits
from viewfinder.messages import ChatModel, Reply, Sampling, user
from viewfinder.outputs import prompts
from viewfinder.outputs.document import Break, Document, Page
from viewfinder.outputs.document import Picture as Drawn
from viewfinder.outputs.document.convert import page_to_dict
from viewfinder.outputs.document.grammar import qwenvl_html_grammar
from viewfinder.outputs.document.truth import Check, check_elements, correct_elements, layer_is_sound
from viewfinder.outputs.results import transform_of, words_confidence
from viewfinder.processor.processor import Processor

MAX_PIXELS = 2048 * 28 * 28
"""The largest page image, where the caller gives no limit: the upper end of what the report suggests."""
MAX_NEW_TOKENS = 8192
_SECOND_TRY = {"temperature": 0.3, "top_p": 0.95, "seed": 0}

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ParseOptions:
    """How pages are read.

    Attributes:
        max_pixels: the most that a page is shown in (height x width); None is `MAX_PIXELS`, or less where the
            processor allows less.
        check: compare with the text layer and with the ink of the page.
        correct: put the words of a sound text layer in the place of others.
        sampling: None takes the model's own, with room for a whole page.
    """

    max_pixels: int | None = None
    check: bool = True
    correct: bool = False
    sampling: Sampling | None = None


DEFAULT_OPTIONS = ParseOptions()


def parse_document(
    model: ChatModel,
    processor: Processor,
    source: Any,
    options: ParseOptions = DEFAULT_OPTIONS,
    *,
    pages: Sequence[int] | None = None,
    resume: str | Path | None = None,
    progress: Progress | None = None,
    workers: int = 1,
    limits: Limits = DEFAULT_LIMITS,
    password: str | None = None,
) -> Document:
    """Read a picture, a TIFF file of several pages, or a PDF.

    Args:
        pages: which, from 0; all when None.
        resume: a file (JSONL) that finished pages are kept in and taken from when the work goes on. Pages that
            failed are tried again. One file may serve several documents, read by one model with the same options.
        progress: called with pages done and pages in all.
        workers: pages asked about at the same time, for models behind a server.
        password: opens a PDF that is locked.

    Raises:
        MediaError: the document as a whole cannot be opened. A page that fails is in `Document.failed`.
        SettingsError: `resume` was begun with another model or another option.
    """
    with open_pages(source, limits, password) as opened:
        numbers = page_numbers(opened, pages, limits)
        kept = AnswerCache(resume, parse_settings(model, processor, options))
        done = _finished(kept, opened.digest)
        todo = [number for number in numbers if number not in done]
        count = len(numbers) - len(todo)
        if progress is not None and todo:
            progress(count, len(numbers))  # the first page may take minutes
        for page in each_page(model, processor, opened, todo, options, workers):
            if resume is not None:
                kept.add(opened.digest, {"page": page_to_dict(page)})
            done[page.number] = page
            count += 1
            if progress is not None:
                progress(count, len(numbers))
    return Document(tuple(done[number] for number in numbers))


def each_page(
    model: ChatModel,
    processor: Processor,
    pages: Pages,
    numbers: Sequence[int],
    options: ParseOptions = DEFAULT_OPTIONS,
    workers: int = 1,
) -> Iterator[Page]:
    """Read pages of an open document, in order; one that fails is a `Page` with an `error`."""

    def read(number: int) -> Page:
        try:
            return read_page(model, processor, pages, number, options)
        except (ViewfinderError, OSError, MemoryError) as error:
            return Page((), number=number, error=" ".join(str(error).split()) or type(error).__name__)

    if workers <= 1:
        yield from map(read, numbers)
        return
    with ThreadPoolExecutor(workers) as pool:  # the tasks hold the pictures, so only texts wait here
        yield from pool.map(read, numbers)


def read_page(
    model: ChatModel, processor: Processor, pages: Pages, number: int, options: ParseOptions = DEFAULT_OPTIONS
) -> Page:
    """Read one page.

    Raises:
        MediaError: it cannot be drawn.
        ViewfinderError: the model refuses it.
    """
    picture = pages.picture(number)
    words = pages.words(number, picture) if options.check or options.correct else ()
    ink = Ink(picture)
    if ink.blank and not words:
        return Page((), picture.transform, number)
    page = dataclasses.replace(_ask(model, processor, picture, options), number=number)
    return _checked(page, words, ink, options)


def parse_settings(model: ChatModel, processor: Processor, options: ParseOptions) -> dict[str, Any]:
    """Settings that must be equal where a finished page of the same content is reused."""
    asked = {"max_pixels": options.max_pixels, "check": options.check, "correct": options.correct}
    sampling = model_sampling(model, options.sampling, MAX_NEW_TOKENS)
    return answer_settings(model, processor, sampling, prompt=prompts.parse_prompt(), **asked)


def _finished(kept: AnswerCache, digest: str) -> dict[int, Page]:
    """Pages of a document that are reused; failed ones are not among them."""
    lines = [row["page"] for row in kept.rows if row["content"] == digest and not row["page"].get("error")]
    return {page.number: page for page in Document.from_dict({"pages": lines}).pages}


def _ask(model: ChatModel, processor: Processor, picture: Picture, options: ParseOptions) -> Page:
    part = processor.fit(picture, min(options.max_pixels or MAX_PIXELS, processor.settings.max_pixels))
    grammar = qwenvl_html_grammar(*part.image.size)
    sampling = model_sampling(model, options.sampling, MAX_NEW_TOKENS)

    def ask(how: Sampling) -> Reply:
        return model.chat([user(part, prompts.parse_prompt())], grammar=grammar, sampling=how)

    reply, notes = ask(sampling), ()
    text, cut = worth_keeping(reply)
    if cut:
        again = ask(sampling.model_copy(update=_SECOND_TRY))
        if again.finish_reason == "stop":
            reply, text, notes = again, again.text, ("read a second time, for the first answer ran in circles",)
        else:
            notes = ("the answer ran in circles and was cut where that began",)
    elif reply.finish_reason != "stop":
        notes = (f"the answer was cut ({reply.finish_reason})",)
    page = Page.from_html(text, transform_of(reply, part), confidence=words_confidence(reply))
    return dataclasses.replace(page, repairs=(*notes, *page.repairs))


def _checked(page: Page, words: Sequence[Word], ink: Ink, options: ParseOptions) -> Page:
    """The page, checked against its text layer and its ink."""
    elements, checks = page.elements, list[Check]()
    if words and layer_is_sound(words):
        if options.correct:
            elements, checks = correct_elements(elements, words, ink.beside)
        else:
            checks = check_elements(elements, words)
    by_element = {check.element: check for check in checks if check.element is not None}
    for i, element in enumerate(elements):
        nothing = element.box is not None and not isinstance(element, Break) and not ink.inside(element.box)
        if nothing and (element.text or isinstance(element, Drawn)):
            by_element[i] = dataclasses.replace(by_element.get(i, Check(i)), empty=True)
    loose = [check for check in checks if check.element is None]
    return dataclasses.replace(page, elements=elements, checks=(*(by_element[i] for i in sorted(by_element)), *loose))
