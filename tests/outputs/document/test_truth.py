"""The text layer as a witness: parted words, leader dots, and what a layer does not hold."""

from collections.abc import Sequence

import pytest

from viewfinder.media.document import Word
from viewfinder.outputs.document.elements import Paragraph
from viewfinder.outputs.document.truth import check_elements, correct_elements

BOX = (0.0, 0.0, 400.0, 100.0)


def layer(*texts: str) -> list[Word]:
    return [Word(text, (10.0 + 40 * i, 10, 40 + 40 * i, 20)) for i, text in enumerate(texts)]


def nothing_else(box: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
    return False


def more_ink(box: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
    return True


@pytest.mark.parametrize(
    ("read", "words"),
    [
        ("the turpis grew", ("the", "tur-", "pis", "grew")),
        ("a well-known fact", ("a", "well-", "known", "fact")),
        ("1 Introduction 5", ("1", "Introduction", ".", ".", ".", ".", "5")),
        ("1 Introduction . . . . . 5", ("1", "Introduction", "5")),
        ("1 Introduction ........ 5", ("1", "Introduction......", "5")),
    ],
)
def test_the_same_in_other_spellings(read: str, words: tuple[str, ...]) -> None:
    (check,) = check_elements([Paragraph(BOX, read)], layer(*words))
    assert check.agreement == 1


@pytest.mark.parametrize(
    ("read", "words", "right"),
    [
        ("the turpls grew", ("the", "tur-", "pis", "grew"), "the turpis grew"),
        ("a wel1-known fact", ("a", "well-", "known", "fact"), "a well-known fact"),
    ],
)
def test_a_parted_word_is_put_in_place_whole(read: str, words: tuple[str, ...], right: str) -> None:
    (element,), _ = correct_elements([Paragraph(BOX, read)], layer(*words), nothing_else)
    assert element.text == right


def test_nothing_is_taken_away_where_there_is_more_ink() -> None:
    """A list box shows three values, and the layer of some files holds one."""
    read = [Paragraph(BOX, "Liste1 List1 List2 List3")]
    (kept,), (check,) = correct_elements(read, layer("Liste1"), more_ink)
    assert kept.text == "Liste1 List1 List2 List3"
    assert not check.corrected
    assert check.disagrees
    (cut,), _ = correct_elements(read, layer("Liste1"), nothing_else)
    assert cut.text == "Liste1"
