"""A library joined to a retriever: pages embedded once, found by looks beside words, with the patch that matched."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from bench.document_files import lines_of, write_pdf
from viewfinder.chat import Viewfinder
from viewfinder.chat.documents.sources import open_pages
from viewfinder.chat.library import Library, Retriever
from viewfinder.chat.library.search import reciprocal_ranks
from viewfinder.errors import MediaError, SettingsError
from viewfinder.model.late_interaction import max_similarity

Clerks = Callable[[Path], Viewfinder]


@pytest.fixture(scope="module")
def retriever(colqwen: Path) -> Retriever:
    return Retriever.load(colqwen)


@pytest.fixture(scope="module")
def other(colqwen: Path, tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    path = tmp_path_factory.mktemp("other") / "retriever"
    shutil.copytree(colqwen, path)
    state = load_file(path / "model.safetensors")
    save_file({**state, "custom_text_proj.bias": state["custom_text_proj.bias"] + 1}, path / "model.safetensors")
    return Retriever.load(path)


class Counting:
    """A retriever that counts the pages it embeds, and stops at one where it is told to."""

    def __init__(self, retriever: Retriever, stop: int = 99) -> None:
        self.inner, self.stop, self.pages = retriever, stop, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def page(self, image: object) -> object:
        if self.pages == self.stop:
            raise KeyboardInterrupt
        self.pages += 1
        return self.inner.page(image)


def test_ranks_are_fused_by_the_published_rule() -> None:
    assert reciprocal_ranks([7, 8], [9, 8]) == [(8, 2 / 62), (7, 1 / 61), (9, 1 / 61)]
    assert reciprocal_ranks([], [3]) == [(3, 1 / 61)]


def test_pages_are_embedded_once_by_content(tmp_path: Path, folder: Path, clerk: Clerks, retriever: Retriever) -> None:
    counting = Counting(retriever)
    with Library(tmp_path / "l.db") as library:
        synced = library.add(clerk(folder / "alpha.pdf"), [folder / "alpha.pdf"], retriever=counting)
        assert (synced.embedded, counting.pages, sum(library.embedded().values())) == (2, 2, 2)
        assert library.shelf.vectors.retriever == retriever.fingerprint
        (folder / "alpha.pdf").rename(folder / "moved.pdf")
        shutil.copy(folder / "moved.pdf", folder / "copy.pdf")
        (folder / "beta.pdf").unlink()
        assert library.add(clerk(folder / "copy.pdf"), [folder], retriever=counting).embedded == 0
        hits = library.search("treasurer", retriever=retriever)
        assert {Path(hit.file).name for hit in hits} == {"moved.pdf", "copy.pdf"}
        library.add(clerk(folder / "copy.pdf"), [folder], again=True)  # read again: the vectors stay
        assert (sum(library.embedded().values()), counting.pages) == (2, 2)


def test_an_interrupted_run_goes_on_at_the_next_page(tmp_path: Path, clerk: Clerks, retriever: Retriever) -> None:
    path = tmp_path / "long.pdf"
    write_pdf(path, [lines_of([f"sheet number {n}"]) for n in range(4)])
    with Library(tmp_path / "l.db") as library, pytest.raises(KeyboardInterrupt):
        library.add(clerk(path), [path], retriever=Counting(retriever, stop=3))
    with Library(tmp_path / "l.db") as library:
        assert library.add(clerk(path), [path], retriever=retriever).embedded == 1


def test_looks_find_what_no_word_does_and_say_where(
    tmp_path: Path, folder: Path, clerk: Clerks, retriever: Retriever
) -> None:
    with Library(tmp_path / "l.db") as library:
        library.add(clerk(folder / "alpha.pdf"), [folder / "alpha.pdf"], retriever=retriever)
        assert library.search("elephants") == []
        hits = library.search("elephants", retriever=retriever)
        query = retriever.query("elephants")
        pages = [retriever.page(_picture(hit.file, hit.page.number))[0] for hit in hits]
        scores = max_similarity(query, [page.bfloat16() for page in pages]).tolist()
        assert [hit.look.score for hit in hits] == pytest.approx(scores, rel=1e-2)
        assert scores == sorted(scores, reverse=True)
        assert [hit.score for hit in hits] == [1 / 61, 1 / 62]
        words = library.search("treasurer roof", retriever=retriever)[0]
        assert words.page.number == 0
        assert words.score > 1 / 61
        assert words.draw().size[0] >= 720
        row = words.to_dict()
        assert (row["page"], row["look"]["score"]) == (1, words.look.score)


def test_the_patch_that_matched(tmp_path: Path, clerk: Clerks, retriever: Retriever) -> None:
    """A query that is the vector of one patch finds that patch: token 6 of 4 columns is row 1, column 2."""
    Image.effect_noise((112, 84), 90).convert("RGB").save(tmp_path / "a.png")
    vectors, prepared = retriever.page(tmp_path / "a.png")
    first = int((prepared.inputs.input_ids == retriever.processor.image_token_id).nonzero()[0])
    asking = Counting(retriever)
    with Library(tmp_path / "l.db") as library:
        file = library.shelf.begin(str(tmp_path / "a.png"), "digest", "{}", 1, 1, 1)
        library.shelf.vectors.put("digest", 0, retriever, _picture(str(tmp_path / "a.png"), 0))
        library.shelf.finish(file)
        asking.query = lambda text: vectors[first + 6][None]
        ((_, _, look),) = library.shelf.vectors.search(asking, "", 1)
        assert (look.box, look.size) == ((56, 28, 84, 56), (112, 84))
        asking.query = lambda text: vectors[0][None]
        ((_, _, look),) = library.shelf.vectors.search(asking, "", 1)
        assert look.box is None


def test_vectors_of_two_retrievers_are_not_mixed(
    tmp_path: Path, folder: Path, clerk: Clerks, retriever: Retriever, other: Retriever
) -> None:
    reader = clerk(folder / "beta.pdf")
    with Library(tmp_path / "l.db") as library:
        library.add(reader, [folder / "beta.pdf"])
        with pytest.raises(MediaError, match="no page of this library is embedded"):
            library.search("tulips", retriever=retriever)
        library.add(reader, retriever=retriever)
        with pytest.raises(SettingsError, match="were embedded by retriever"):
            library.search("tulips", retriever=other)
        with pytest.raises(SettingsError, match="were embedded by retriever"):
            library.add(reader, retriever=other)
        assert library.shelf.vectors.retriever == retriever.fingerprint
        library.add(reader, retriever=other, again=True)
        assert library.shelf.vectors.retriever == other.fingerprint
        assert library.search("tulips", retriever=other)


def test_what_is_removed_leaves_no_vector_behind(
    tmp_path: Path, folder: Path, clerk: Clerks, retriever: Retriever
) -> None:
    with Library(tmp_path / "l.db") as library:
        library.add(clerk(folder / "beta.pdf"), [folder / "beta.pdf"], retriever=retriever)
        (data,) = library.shelf._connection.execute("SELECT data FROM vectors").fetchone()
        assert data[-64:] in (tmp_path / "l.db").read_bytes()
        library.remove(folder / "beta.pdf")
        assert (library.embedded(), library.shelf.vectors.retriever) == ({}, None)
    assert data[-64:] not in (tmp_path / "l.db").read_bytes()


def test_a_page_that_cannot_be_drawn_spares_the_others(
    tmp_path: Path, folder: Path, clerk: Clerks, retriever: Retriever
) -> None:
    with Library(tmp_path / "l.db") as library:
        library.add(clerk(folder / "alpha.pdf"), [folder / "alpha.pdf"])
        library.add(clerk(folder / "beta.pdf"), [folder / "beta.pdf"])
        status = (folder / "alpha.pdf").stat()
        data = (folder / "alpha.pdf").read_bytes()
        (folder / "alpha.pdf").write_bytes(data[:-1] + b" ")
        os.utime(folder / "alpha.pdf", ns=(status.st_atime_ns, status.st_mtime_ns))
        synced = library.add(clerk(folder / "beta.pdf"), retriever=retriever)
        assert synced.embedded == 1
        assert "it changed since it was read" in synced.failed[str(folder / "alpha.pdf")]


def _picture(file: str, number: int) -> object:
    with open_pages(file) as pages:
        return pages.picture(number)
