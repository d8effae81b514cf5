"""Words to pages: what a question is about, scripts without spaces, nothing that acts as an operator."""

import sqlite3

import pytest

from viewfinder.chat.library.index import WordIndex, match_expression, query_words


@pytest.fixture
def index() -> WordIndex:
    return WordIndex(sqlite3.connect(":memory:", isolation_level=None))


def test_worked_examples() -> None:
    assert match_expression("Who owes 5%?") == '"owes" OR "5"'
    assert match_expression("发票号码") == '"发 票 号 码"'
    assert query_words("Where is it?") == ["where", "is", "it"]  # all of them, for none says more


def test_the_best_page_comes_first_and_endings_and_accents_do_not_matter(index: WordIndex) -> None:
    index.put([(1, "The cafés were painted"), (2, "paint"), (3, "Invoices of the café, painted in May")])
    assert index.search("Who is painting the cafe in May?", 10)[0][0] == 3
    assert {key for key, _ in index.search("painting", 10)} == {1, 2, 3}
    assert index.search("invoice", 1)[0][0] == 3
    assert index.search("elephants", 10) == []
    assert index.search("?!", 10) == []


def test_scripts_without_spaces_are_searched_as_phrases(index: WordIndex) -> None:
    index.put([(1, "本公司的发票号码是 12"), (2, "号码发票")])
    assert [key for key, _ in index.search("发票号码", 10)] == [1]


@pytest.mark.parametrize("query", ['" OR 1', "a NEAR b", "x* AND (y", "text : z", "'; DROP TABLE words; --", "^1"])
def test_operators_are_words(index: WordIndex, query: str) -> None:
    index.put([(1, "plain text")])
    index.search(query, 10)
    assert index.search("plain", 10)


def test_a_page_is_replaced_and_forgotten(index: WordIndex) -> None:
    index.put([(1, "old words"), (2, "others")])
    index.put([(1, "new words")])
    assert index.search("old", 10) == []
    index.remove([1])
    assert index.search("new", 10) == []
    assert [key for key, _ in index.search("others", 10)] == [2]


@pytest.mark.parametrize("written", ["Straße", "STRASSE", "strasse"])
@pytest.mark.parametrize("asked", ["straße", "Strasse", "STRASSE"])
def test_letters_that_fold_to_others_are_found(index: WordIndex, written: str, asked: str) -> None:
    index.put([(1, f"In der {written} ist ein Haus"), (2, "ein Haus")])
    assert [key for key, _ in index.search(asked, 10)] == [1]


def test_an_index_of_an_earlier_version_is_searched_as_it_is_written(index: WordIndex) -> None:
    index._connection.execute("INSERT INTO words(rowid, text) VALUES (1, 'Straße')")
    assert [key for key, _ in index.search("Straße", 10)] == [1]
