"""Streaming: the pieces joined are the whole, whatever the tokens and the stop strings."""

from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import small_processor
from viewfinder.engine.request import Detokenizer
from viewfinder.processor.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train(["a small vocabulary, so that one character is several tokens"], 300)


def _run(text: str, stop: tuple[str, ...]) -> tuple[str, Detokenizer]:
    answer = Detokenizer(TOKENIZER, stop)
    shown = ""
    for token in TOKENIZER.encode(text):
        shown += answer.push(token)
        if answer.stopped:
            break
    return shown + answer.finish(), answer


@given(
    st.text(alphabet="ab é漢🙂.", max_size=30), st.lists(st.text(alphabet="ab .", min_size=1, max_size=4), max_size=3)
)
def test_pieces_joined_are_the_text_before_the_first_stop_string(text: str, stop: list[str]) -> None:
    shown, answer = _run(text, tuple(stop))
    assert shown == answer.text
    places = [text.find(s) for s in stop if s in text]
    assert answer.stopped == bool(places)
    assert not any(s in answer.text for s in stop)
    assert text.startswith(answer.text)
    assert places or answer.text == text


def test_a_beginning_of_a_stop_string_waits_and_is_shown_when_it_is_none() -> None:
    answer = Detokenizer(TOKENIZER, ("END",))
    shown = [answer.push(token) for token in TOKENIZER.encode("EN")]
    assert "".join(shown) == ""
    assert "".join(answer.push(token) for token in TOKENIZER.encode("X")) == "ENX"


def test_half_a_character_is_never_shown() -> None:
    answer = Detokenizer(TOKENIZER)
    tokens = TOKENIZER.encode("漢")
    assert len(tokens) == 3
    assert [answer.push(token) for token in tokens] == ["", "", "漢"]


def test_half_a_character_at_the_end_is_shown_as_it_is_kept() -> None:
    tokenizer = small_processor().tokenizer
    answer = Detokenizer(tokenizer)
    first = tokenizer.encode("\u00e9")[0]  # the first of its two bytes
    shown = answer.push(first) + answer.finish()
    assert shown == answer.text == "\ufffd"
