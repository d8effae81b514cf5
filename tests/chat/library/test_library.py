"""A collection kept in line with its folders, and its answers: cited to page and box, or not there."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.document_files import lines_of, write_pdf
from viewfinder.chat import Viewfinder
from viewfinder.chat.documents.parse import ParseOptions
from viewfinder.chat.library import Library
from viewfinder.errors import MediaError, MessageError, SettingsError
from viewfinder.media.document import open_document

Clerks = Callable[[Path], Viewfinder]
QUESTION = "How much did the treasurer Okafor pay for the roof?"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "mine" / "library.db"


def filled(shelf: Path, folder: Path, clerk: Clerks) -> Library:
    """Each file by its own clerk, who looks the page's number up in that file."""
    library = Library(shelf)
    for path in sorted(folder.glob("*.pdf")):
        assert library.add(clerk(path), [path]).failed == {}
    return library


def test_a_fact_is_found_and_cited_where_it_stands(shelf: Path, folder: Path, clerk: Clerks) -> None:
    reader = clerk(folder / "alpha.pdf")
    with filled(shelf, folder, clerk) as library:
        answer = library.ask(reader, "treasurer Okafor roof euros")
    assert answer.found
    assert answer.text == "The treasurer Mira Okafor paid 4,310.00 euros for the roof."
    assert answer.supported is True
    (citation,) = answer.citations
    assert (citation.file, citation.page) == (str(folder / "alpha.pdf"), 0)
    with open_document(folder / "alpha.pdf") as pdf:
        words = [word for word in pdf.words(0, pdf.page(0)) if word.text in ("Okafor", "roof.")]
    for word in words:
        assert citation.box[0] < word.box[0] < word.box[2] < citation.box[2]
        assert citation.box[1] < word.box[1] < word.box[3] < citation.box[3]
    assert len(words) == 2


def test_what_is_not_there_is_refused(shelf: Path, folder: Path, clerk: Clerks) -> None:
    reader = clerk(folder / "alpha.pdf")
    with filled(shelf, folder, clerk) as library:
        unknown = library.ask(reader, "elephants in Nairobi?")
        assert (unknown.found, unknown.text, unknown.citations) == (False, "not in these documents", ())
        assert reader.model.questions == []  # no page shares a word: the model is not asked
        near = library.ask(reader, "Did the treasurer resign?")
        assert (near.found, near.text) == (False, "not in these documents")
        assert len(reader.model.questions) == 1


def test_the_model_can_be_shown_the_pages(shelf: Path, folder: Path, clerk: Clerks) -> None:
    reader = clerk(folder / "beta.pdf")
    with filled(shelf, folder, clerk) as library:
        library.ask(reader, "tulips", look=True)
    assert reader.model.pictures == 1


def test_only_what_changed_is_read(shelf: Path, folder: Path, clerk: Clerks) -> None:
    with filled(shelf, folder, clerk) as library:
        reader = clerk(folder / "alpha.pdf")
        again = library.add(reader, [folder])
        assert (len(again.unchanged), again.pages, reader.model.asked) == (2, 0, [])
        (folder / "alpha.pdf").rename(folder / "moved.pdf")
        moved = library.add(reader, [folder])
        assert (moved.moved, moved.pages, moved.removed) == ([str(folder / "moved.pdf")], 0, [])
        assert library.search("Okafor")[0].file == str(folder / "moved.pdf")
        write_pdf(folder / "beta.pdf", [lines_of(["Roses instead"])])
        changed = library.add(clerk(folder / "beta.pdf"))  # the folder is known
        assert (changed.added, changed.pages) == ([str(folder / "beta.pdf")], 1)
        assert library.search("tulips") == []
        assert library.search("roses")


def test_what_is_removed_leaves_no_word_behind(shelf: Path, folder: Path, clerk: Clerks) -> None:
    with filled(shelf, folder, clerk) as library:
        library.add(clerk(folder / "beta.pdf"), [folder])
        assert b"Okafor" in shelf.read_bytes()
        (folder / "alpha.pdf").unlink()
        assert library.search("Okafor") == []  # not quoted from the moment it is gone
        assert library.add(clerk(folder / "beta.pdf")).removed == [str(folder / "alpha.pdf")]
        assert library.remove(folder / "beta.pdf") == [str(folder / "beta.pdf")]
        assert library.files() == []
    for word in (b"Okafor", b"okafor", b"Tulips", b"tulip"):
        assert word not in shelf.read_bytes()


def test_an_interrupted_run_goes_on_at_the_next_page(shelf: Path, tmp_path: Path, clerk: Clerks) -> None:
    path = tmp_path / "long.pdf"
    write_pdf(path, [lines_of([f"sheet number {n}"]) for n in range(4)])
    reader = clerk(path)

    def stop(file: str, done: int, total: int) -> None:
        assert (file, total) == (str(path), 4)
        if done == 2:
            raise KeyboardInterrupt

    with Library(shelf) as library:
        with pytest.raises(KeyboardInterrupt):
            library.add(reader, [path], progress=stop)
        assert library.files() == []  # half a document is not shown
        assert library.search("sheet") == []
    with Library(shelf) as library:
        assert library.add(reader, [path]).pages == 2
        assert len(library.search("sheet")) == 4
    assert reader.model.asked == [0, 1, 2, 3]


def test_a_failed_page_is_told_and_tried_again(shelf: Path, folder: Path, clerk: Clerks) -> None:
    path = folder / "alpha.pdf"
    reader = clerk(path)
    plain = reader.model.chat

    def refusing(messages, **options):
        reply = plain(messages, **options)
        if reader.model.asked[-1] == 1:
            raise MessageError("too dark")
        return reply

    reader.model.chat = refusing
    with Library(shelf) as library:
        synced = library.add(reader, [path])
        assert synced.failed == {str(path): "page 2: too dark"}
        assert library.search("Okafor")
        reader.model.chat = plain
        assert library.add(reader, [path]).failed == {}
        assert library.search("nothing else here")[0].page.number == 1
    assert reader.model.asked == [0, 1, 1]


def test_words_of_the_text_layer_are_found_where_the_model_misread_them(
    shelf: Path, folder: Path, clerk: Clerks
) -> None:
    path = folder / "alpha.pdf"
    reader = clerk(path)
    plain = reader.model.chat

    def misreading(messages, **options):
        reply = plain(messages, **options)
        return reply.model_copy(update={"text": reply.text.replace("treasurer Mira", "measurer Maria")})

    reader.model.chat = misreading
    with Library(shelf) as library:
        library.add(reader, [path])
        assert "measurer" in library.search("roof")[0].page.text
        assert len(library.search("treasurers")) == 1, "the right word, in another form of it"
        assert len(library.search("measurer")) == 1


def test_a_broken_file_spares_the_others(shelf: Path, folder: Path, clerk: Clerks) -> None:
    (folder / "aaa.pdf").write_bytes(b"%PDF-1.4 garbage")
    with Library(shelf) as library:
        synced = library.add(clerk(folder / "beta.pdf"), [folder / "aaa.pdf", folder / "beta.pdf"])
        assert list(synced.failed) == [str(folder / "aaa.pdf")]
        assert library.search("tulips")


def test_it_is_for_its_owner_alone(shelf: Path) -> None:
    with Library(shelf):
        assert stat.S_IMODE(shelf.stat().st_mode) == 0o600


def test_a_folder_that_is_away_is_not_forgotten(shelf: Path, folder: Path, clerk: Clerks) -> None:
    with Library(shelf) as library:
        (folder / "alpha.pdf").unlink()
        reader = clerk(folder / "beta.pdf")
        library.add(reader, [folder])
        folder.rename(folder.with_name("unplugged"))
        with pytest.raises(MediaError, match="there is no file or folder"):
            library.add(reader)
        assert len(library.files()) == 1
        folder.with_name("unplugged").rename(folder)
        assert len(library.add(reader).unchanged) == 1


def test_what_is_no_library_is_refused(tmp_path: Path, folder: Path, clerk: Clerks) -> None:
    (tmp_path / "x.db").write_text("this is text, not a database, and long enough to be told so" * 9)
    with pytest.raises(MediaError, match="cannot be opened as a library"):
        Library(tmp_path / "x.db")
    with Library(tmp_path / "y.db") as library, pytest.raises(MediaError, match="there is no file or folder"):
        library.add(clerk(folder / "beta.pdf"), [tmp_path / "absent"])


def test_two_that_add_one_document_at_once_leave_it_there(shelf: Path, folder: Path, clerk: Clerks) -> None:
    path = folder / "alpha.pdf"

    def other(*_: object) -> None:
        with Library(shelf) as second:
            second.add(clerk(path), [path])

    with Library(shelf) as first:
        first.add(clerk(path), [path], progress=other)  # after each page of the first, the second is through
        assert [Path(file.path).name for file in first.files()] == ["alpha.pdf"]
        assert len(first.search("treasurer")) == 1
        assert first.shelf.files(ready=False) == []


def test_a_document_taken_away_while_it_is_read_leaves_no_words(shelf: Path, folder: Path, clerk: Clerks) -> None:
    path = folder / "alpha.pdf"

    def other(*_: object) -> None:
        with Library(shelf) as second:
            second.remove(path)

    with Library(shelf) as first:
        first.add(clerk(path), [path], progress=other)
        assert first.files() == []
        assert first.shelf._connection.execute("SELECT count(*) FROM pages").fetchone() == (0,)


def test_what_was_removed_stays_out_until_it_is_named(shelf: Path, folder: Path, clerk: Clerks) -> None:
    with filled(shelf, folder, clerk) as library:
        reader = clerk(folder / "beta.pdf")
        library.add(reader, [folder])
        library.remove(folder / "beta.pdf")
        for sources in ([], [folder]):
            library.add(reader, sources)
            assert [Path(file.path).name for file in library.files()] == ["alpha.pdf"]
        library.add(reader, [folder / "beta.pdf"])
        assert len(library.files()) == 2


def test_one_library_holds_readings_of_one_model(shelf: Path, folder: Path, clerk: Clerks) -> None:
    with filled(shelf, folder, clerk) as library:
        other = clerk(folder / "beta.pdf")
        other.model.fingerprint = "other weights"
        write_pdf(folder / "gamma.pdf", [lines_of(["Roses"])])
        with pytest.raises(SettingsError, match=r"weights was 'Clerk' and is 'other weights'.*--again"):
            library.add(other, [folder])
        with pytest.raises(SettingsError, match="correct was False and is True"):
            library.add(clerk(folder / "beta.pdf"), [folder], options=ParseOptions(correct=True))
        assert {file.read_with["weights"] for file in library.files()} == {"Clerk"}
        again = library.add(other, [folder], again=True)
        assert len(again.added) == 3
        assert {file.read_with["weights"] for file in library.files()} == {"other weights"}
