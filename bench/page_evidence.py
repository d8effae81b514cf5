"""Where an answer stands: pages and boxes of a generated collection, by words, by looks, and by `library ask`.

    python bench/page_evidence.py FOLDER [--retriever DIR] [--pages 60] [--questions 12] [--only read|truth] [--no-ask]

Pages of the data engine (held-out fonts and layouts), each a picture in FOLDER, and questions with one right element:
three words that stand in it alone, or the shape and color of a figure. Found is the element, on its page, at an IoU of
a half. Pages are read by the built-in model (`FOLDER/read-*.db`, resumable) and, beside it, as they truly are
(`FOLDER/truth-*.db`).

    search   the element of the first page with most words of the question; without one, that under the best patch
    ask      the passages that the built-in model cites
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import viewfinder
from viewfinder.chat.documents.sources import open_pages
from viewfinder.chat.library import Hit, Library, Retriever
from viewfinder.chat.library.embedding import embed_pages
from viewfinder.chat.library.index import query_words
from viewfinder.data.synth.documents.pages import SetPage, set_page
from viewfinder.data.synth.kinds import Options, Split
from viewfinder.eval.metrics import F1, box_f1
from viewfinder.messages import Sampling
from viewfinder.outputs.document import Page
from viewfinder.outputs.document.elements import Element, Image

Place = tuple[tuple[float, float, float, float], str]
NAMES = {"read": "built-in model", "truth": "truth"}
KINDS = ("heading", "paragraph", "list", "table", "figure")


@dataclass(frozen=True)
class Asked:
    kind: str
    words: str
    place: Place


def make_page(split: Split, number: int) -> SetPage:
    """A page of at most 336 pixels a side, as the built-in model was taught."""
    rng = np.random.default_rng([2511, split == "train", number])
    return set_page(rng, Options(min_side=224, max_side=336, difficulty=0.25, split=split))


def phrases(element: Element) -> list[str]:
    """What an element can be asked for by: words in a row, or the shape and color of a figure."""
    if isinstance(element, Image):
        return [element.paragraphs[0].split(" ", 1)[1].strip(".")]
    words = [word.strip(".,;:()").casefold() for word in element.text.split()]
    return [" ".join(words[i : i + 3]) for i in range(len(words) - 2) if all(words[i : i + 3])]


def kind_of(element: Element) -> str:
    return "figure" if isinstance(element, Image) else element.kind


def questions(pages: Sequence[SetPage], files: Sequence[str], a_kind: int) -> Iterator[Asked]:
    """As many of each kind as there are, at most `a_kind`, one an element."""
    met = Counter(phrase for page in pages for element in page.elements for phrase in set(phrases(element)))
    left = dict.fromkeys(KINDS, a_kind)
    rng = np.random.default_rng(7)
    for page, file in zip(pages, files, strict=True):
        for element in page.elements:
            only = [phrase for phrase in phrases(element) if met[phrase] == 1]
            if only and element.box and left.get(kind_of(element), 0):
                left[kind_of(element)] -= 1
                yield Asked(kind_of(element), only[int(rng.integers(len(only)))], (element.box, file))


def put_truth(library: Library, pages: Sequence[SetPage], files: Sequence[str]) -> None:
    """Pages as they truly are; what figures show is not written on them."""
    for page, file in zip(pages, files, strict=True):
        if library.shelf.file(file) is None:
            with open_pages(file) as opened:
                begun = library.shelf.begin(file, opened.digest, "{}", 0, 0, 1)
            bare = (replace(e, role="", paragraphs=()) if isinstance(e, Image) else e for e in page.elements)
            library.shelf.put(begun, Page(tuple(bare), page.frame))
            library.shelf.finish(begun)


def found_by_search(hits: Sequence[Hit], question: str) -> list[Place]:
    if not hits:
        return []
    hit, wanted = hits[0], set(query_words(question))
    elements = [element for element in hit.page.elements if element.box]
    shared = [len(wanted & set(query_words(element.text))) for element in elements]
    if any(shared):
        return [(elements[int(np.argmax(shared))].box, hit.file)]
    if hit.look is None or hit.look.box is None:
        return []
    x, y = (hit.look.box[0] + hit.look.box[2]) / 2, (hit.look.box[1] + hit.look.box[3]) / 2
    under = [e.box for e in elements if e.box[0] <= x <= e.box[2] and e.box[1] <= y <= e.box[3]]
    return [(under[0] if under else hit.look.box, hit.file)]


def interval(scores: Sequence[F1]) -> tuple[float, float]:
    """95 % of resamples of the questions."""
    rng, counts = np.random.default_rng(0), np.array(scores)
    drawn = counts[rng.integers(len(counts), size=(2000, len(counts)))].sum(1)
    f1 = 2 * drawn[:, 0] / np.maximum(1, 2 * drawn[:, 0] + drawn[:, 1] + drawn[:, 2])
    return float(np.quantile(f1, 0.025)), float(np.quantile(f1, 0.975))


def row(name: str, asked: Sequence[Asked], places: Sequence[list[Place]]) -> str:
    scores = [box_f1(found, [one.place]) for one, found in zip(asked, places, strict=True)]
    pages = np.mean([any(file == one.place[1] for _, file in found) for one, found in zip(asked, places, strict=True)])
    cells = [name, f"{100 * pages:.0f}%"]
    for kind in (None, *KINDS):
        own = [score for one, score in zip(asked, scores, strict=True) if kind in (None, one.kind)]
        if not own:
            cells.append("none asked")
            continue
        low, high = interval(own)
        total = F1(*(sum(column) for column in zip(*own, strict=True)))
        cells.append(f"{total.f1:.2f} ({low:.2f} to {high:.2f})")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--retriever")
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--questions", type=int, default=12)
    parser.add_argument("--only", choices=("read", "truth"))
    parser.add_argument("--no-ask", action="store_true")
    options = parser.parse_args()
    scans = options.folder.resolve() / "pages"
    scans.mkdir(parents=True, exist_ok=True)
    pages = [make_page("held_out", i) for i in range(options.pages)]
    files = [str(scans / f"{i:03d}.png") for i in range(options.pages)]
    for page, file in zip(pages, files, strict=True):
        if not Path(file).exists():
            page.image.save(file)
    asked = list(questions(pages, files, options.questions))
    reader = viewfinder.load()
    retriever = Retriever.load(options.retriever) if options.retriever else None
    print(f"{len(pages)} pages, questions: {dict(Counter(one.kind for one in asked))}")
    print("| pages read by, found by | right page | all | " + " | ".join(KINDS) + " |\n|" + "---|" * (3 + len(KINDS)))
    for who in ("read", "truth") if options.only is None else (options.only,):
        with Library(options.folder / f"{who}-{options.pages}.db") as library:
            if who == "truth":
                put_truth(library, pages, files)
            else:
                library.add(reader, files)
            if retriever is not None:
                embed_pages(library.shelf, retriever)
            for how, looking in (("words", None), ("words and looks", retriever))[: 1 + (retriever is not None)]:
                found = [found_by_search(library.search(q.words, 5, retriever=looking), q.words) for q in asked]
                print(row(f"{NAMES[who]}, search by {how}", asked, found), flush=True)
                if not options.no_ask:
                    short = Sampling(max_new_tokens=96)
                    answers = [library.ask(reader, q.words, limit=3, retriever=looking, sampling=short) for q in asked]
                    cited = [[(c.box, c.file) for c in answer.citations if c.box] for answer in answers]
                    print(row(f"{NAMES[who]}, ask over {how}", asked, cited), flush=True)


if __name__ == "__main__":
    main()
