"""Long documents and large collections: memory, resuming, and the time of a question. No peer does the same.

    python bench/documents.py [--pages 300] [--collection 2000] [--no-memory]

The reader is scripted (`document_files.LayerChat`): what is measured is everything around the model. Both runs are
interrupted on the way and taken up again, and the script fails when a page was read twice or is missing, when the
planted fact is not cited where it stands, or when a question without an answer is given one. Prints one JSON object
a line.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beside import print_peak, report
from document_files import LayerChat, lines_of, write_pdf

from viewfinder.chat import Viewfinder
from viewfinder.chat.library import Library
from viewfinder.chat.library.index import query_words
from viewfinder.media.document import open_document
from viewfinder.messages import Message, Reply
from viewfinder.processor.processor import Processor

SEEN = 952 * 1344
A_FILE = 100  # pages of one document of the collection
PLANTED = "The lighthouse keeper Ansgar Brandt bought 417 barrels of whale oil."
QUESTIONS = ("Who bought barrels of whale oil?", "Ansgar Brandt lighthouse barrels", "How many barrels of whale oil?")
ABSENT = "What did Brandt pay for the submarine?"
WORDS = ("ledger", "harbour", "wages", "grain", "cargo", "tariff", "copper", "timber", "census", "voyage", "mill")


class Clerk(LayerChat):
    """Reads the pages of any file of the collection; over passages, answers with one that has the question's words."""

    def read(self, path: Path) -> None:
        self._pdf.close()
        self._pdf = open_document(path)

    def chat(self, messages: Sequence[Message], *, schema: dict[str, Any] | None = None, **options: Any) -> Reply:
        if schema is None:
            return super().chat(messages, **options)
        prompt = messages[-1].parts[-1].text
        wanted = set(query_words(prompt.rpartition("Question:")[2])) - {"who", "many"}
        for name, text in re.findall(r"^\[(\S+)] (.*)$", prompt, re.MULTILINE):
            if wanted <= set(re.findall(r"\w+", text.casefold())):
                return Reply(text=json.dumps({"found": True, "citations": [name], "answer": text}))
        return Reply(text='{"found": false}')


def page_text(number: int) -> list[str]:
    rows = [" ".join(WORDS[(number * k + k * k + row) % len(WORDS)] for k in range(1, 11)) for row in range(6)]
    return [f"Sheet {number} of the register", *rows, f"Entry {number} closes at {number * 13 % 997} crowns."]


def long_document(folder: Path, pages: int) -> None:
    """Parse, interrupted in the middle; every page once."""
    path, journal = folder / "long.pdf", folder / f"{pages}.jsonl"
    write_pdf(path, [lines_of(page_text(n)) for n in range(pages)])
    chat = LayerChat(path)
    reader = Viewfinder(chat, Processor.official(max_pixels=SEEN))

    def stop(done: int, total: int) -> None:
        if done == total // 2 and len(chat.asked) == done:
            raise KeyboardInterrupt

    start = time.perf_counter()
    try:
        reader.parse(str(path), resume=journal, progress=stop)
    except KeyboardInterrupt:
        document = reader.parse(str(path), resume=journal)
    assert chat.asked == list(range(pages)), "a page was read twice or not at all"
    for page in document.pages:
        assert [e.text for e in page.elements] == page_text(page.number), f"page {page.number} lost words"
    report(f"parse {pages} pages without the model", {"ours": (time.perf_counter() - start) / pages}, "s a page")


def collection(folder: Path, pages: int) -> None:
    """Index, interrupted at a third; the planted fact found with its box, the absent one refused."""
    paths = [folder / f"book-{i:02d}.pdf" for i in range(pages // A_FILE)]
    planted = (len(paths) * 2 // 3, A_FILE // 2)
    for i, path in enumerate(paths):
        texts = [page_text(i * A_FILE + n) for n in range(A_FILE)]
        if i == planted[0]:
            texts[planted[1]].insert(1, PLANTED)
        write_pdf(path, [lines_of(text) for text in texts])
    clerk = Clerk(paths[0])
    reader = Viewfinder(clerk, Processor.official(max_pixels=SEEN))
    seconds = 0.0
    with Library(folder / "library.db") as library:
        for i, path in enumerate(paths):
            clerk.read(path)
            start = time.perf_counter()
            if i == len(paths) // 3:
                _interrupted(library, reader, path)
            assert library.add(reader, [path]).failed == {}
            seconds += time.perf_counter() - start
        assert len(clerk.asked) == pages, f"{len(clerk.asked)} pages were read for {pages}"
        report(f"library of {pages} pages, indexing", {"ours": seconds / pages}, "s a page")
        times: list[float] = []
        for question in QUESTIONS * 5:
            start = time.perf_counter()
            answer = library.ask(reader, question)
            times.append(time.perf_counter() - start)
            assert answer.text == PLANTED, f"{question} got {answer.text!r}"
            (citation,) = answer.citations
            assert (citation.file, citation.page) == (str(paths[planted[0]]), planted[1])
            _stands_in(paths[planted[0]], planted[1], citation.box)
        refused = library.ask(reader, ABSENT)
        assert not refused.found
        assert not refused.citations
    report(f"library of {pages} pages, a question", {"ours": statistics.median(times), "worst": max(times)})


def _interrupted(library: Library, reader: Viewfinder, path: Path) -> None:
    def stop(_: str, done: int, __: int) -> None:
        if done == A_FILE // 2:
            raise KeyboardInterrupt

    try:
        library.add(reader, [path], progress=stop)
    except KeyboardInterrupt:
        return
    raise AssertionError("the run was not interrupted")


def _stands_in(path: Path, page: int, box: tuple[float, float, float, float] | None) -> None:
    """The words of the planted sentence lie in the box, and no other words do."""
    assert box is not None
    with open_document(path) as pdf:
        words = pdf.words(page, pdf.page(page))
    inside = [w.text for w in words if box[0] <= w.box[0] and w.box[2] <= box[2] and box[1] <= w.box[1] <= box[3]]
    assert " ".join(inside) == PLANTED, inside


def peak_bytes(pages: int) -> int:
    command = [sys.executable, __file__, "--pages", str(pages), "--peak"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(output.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--collection", type=int, default=2000)
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--peak", action="store_true", help="only the long document, then this process's peak memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.peak:
            long_document(Path(folder), options.pages)
            return print_peak()
        if options.no_memory:
            long_document(Path(folder), options.pages)
        else:
            long, short = peak_bytes(options.pages), peak_bytes(options.pages // 10)
            name = f"peak memory of {options.pages} pages over that of {options.pages // 10}"
            report(name, {"ours": long, "short": short, "growth": long / short}, "bytes")
        collection(Path(folder), options.collection)
    return None


if __name__ == "__main__":
    main()
