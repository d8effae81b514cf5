"""Ids equal to the reference's, text that stays text, and bytes that survive."""

import json
import sys
import threading
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viewfinder.errors import CheckpointError
from viewfinder.processor.tokenizer import Tokenizer, printable_bytes
from viewfinder.processor.vocabulary import SPECIAL_TOKENS

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "tokenizer.json").read_text())["rows"]

# Built once for hypothesis, which does not take fixtures of the session.
SMALL = Tokenizer.train(["the cat sat on the mat", "a red box, two red boxes"] * 10, 300)


@pytest.mark.parametrize("row", GOLDEN, ids=[row["text"][:12].encode("unicode_escape").decode() for row in GOLDEN])
def test_official_ids_equal_the_reference(official: Tokenizer, row: dict):
    assert official.encode(row["text"]) == row["ids"]
    assert official.decode(row["ids"]) == unicodedata.normalize("NFC", row["text"])


def test_official_special_tokens_have_their_published_ids(official: Tokenizer):
    assert official.vocab_size == 151665
    assert [official.token_id(name) for name in SPECIAL_TOKENS] == list(range(151643, 151665))
    assert official.token_id("<|im_start|>") == 151644
    assert official.token_id("<|image_pad|>") == 151655
    assert official.token_id("<tool_call>") == 151657


@pytest.mark.parametrize("name", SPECIAL_TOKENS)
def test_special_tokens_in_text_are_plain_text(official: Tokenizer, name: str):
    ids = official.encode(f"a{name}b")
    assert max(ids) < 151643
    assert official.decode(ids) == f"a{name}b"


def test_control_tokens_are_left_out_of_text_and_call_marks_are_not(official: Tokenizer):
    ids = [151644, *official.encode("hi"), 151657, 151645]
    assert official.decode(ids) == "hi<tool_call>"
    assert official.decode(ids, skip_special=False) == "<|im_start|>hi<tool_call><|im_end|>"


def test_ids_outside_the_vocabulary_decode_to_nothing(official: Tokenizer):
    # Embeddings of the checkpoints have 151,936 or 152,064 rows, of which the last are never trained.
    assert official.decode([9707, 151900]) == "Hello"
    assert official.token_bytes(151900) == b""
    assert official.token_bytes(-1) == b""


def test_a_stream_never_shows_half_a_character(official: Tokenizer):
    text = "é 你好 🙂👩‍👧!"
    ids = official.encode(text)
    stream = official.stream()
    pieces = [stream.push(i) for i in ids]
    assert "" in pieces, "some token ends inside a character"
    assert "\ufffd" not in "".join(pieces)
    assert "".join(pieces) + stream.finish() == text


def test_an_unfinished_character_is_shown_at_the_end(official: Tokenizer):
    first_byte = printable_bytes().index("ð")  # 0xF0 opens a character of four bytes
    assert official.token_bytes(first_byte) == b"\xf0"
    stream = official.stream()
    assert stream.push(first_byte) == ""
    assert stream.finish() == "\ufffd"


def test_half_of_a_surrogate_pair_becomes_the_replacement_character(official: Tokenizer):
    # JSON can carry such halves ("\\ud83d"), and one request with them must not stop a server.
    assert official.encode("a\ud83db") == official.encode("a\ufffdb")
    assert official.encode("\ud83d\ude42") == official.encode("🙂")


def test_the_printable_order_of_bytes():
    order = printable_bytes()
    assert order[:3] == ["!", '"', "#"]
    assert order[93:96] == ["~", "¡", "¢"]
    assert order[220] == "\u0120", "a space is the 33rd byte that cannot be shown"
    assert len(set(order)) == 256


def test_a_trained_vocabulary_is_small_and_has_the_official_special_tokens(small: Tokenizer):
    assert small.vocab_size == 320
    assert [small.token_id(name) for name in SPECIAL_TOKENS] == list(range(320 - 22, 320))
    the = small.encode(" the")
    assert len(the) == 1
    assert small.token_bytes(the[0]) == b" the"


def test_by_whole_words_what_is_no_token_as_a_whole_is_spelt():
    merged = Tokenizer.train(["red rescue", "red", "д", "ж"] * 9, 340)
    spelt = merged.by_whole_words()
    assert [spelt.decode([i]) for i in spelt.encode("red rescued")] == ["red", " ", *"rescued"]
    assert len(merged.encode(" rescued")) < len(" rescued")
    assert [spelt.decode([i]) for i in spelt.encode("ждж")] == ["ж", "д", "ж"]
    assert spelt.decode(spelt.encode("the rescue, ждём 12")) == "the rescue, ждём 12"
    assert [spelt.token_id(name) for name in ("<|im_end|>", "<|image_pad|>")] == [
        merged.token_id(name) for name in ("<|im_end|>", "<|image_pad|>")
    ]


def test_spelt_words_are_spelt_after_loading_too(small: Tokenizer, tmp_path: Path):
    small.by_whole_words().save(tmp_path)
    text = "locate the unseen rest"
    assert Tokenizer.from_pretrained(tmp_path).encode(text) == small.by_whole_words().encode(text)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["tokenizer_class"] == "PreTrainedTokenizerFast"
    small.save(tmp_path)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["tokenizer_class"] == "Qwen2Tokenizer"


def test_digits_are_split_one_by_one(small: Tokenizer):
    assert [small.token_bytes(i) for i in small.encode("12")] == [b"1", b"2"]


def test_scarce_text_gives_fewer_tokens_and_still_places_the_special_ones_last():
    tokenizer = Tokenizer.train(["ab ab"], 1000)
    assert tokenizer.vocab_size == 256 + 1 + 22
    assert tokenizer.token_id("<|endoftext|>") == 257


def test_saved_and_loaded_are_equal(small: Tokenizer, tmp_path: Path):
    small.save(tmp_path)
    again = Tokenizer.from_pretrained(tmp_path)
    assert again.encode("the red cat 12") == small.encode("the red cat 12")
    assert again.fingerprint == small.fingerprint
    assert again.token_id("<|im_end|>") == small.token_id("<|im_end|>")


def test_fingerprints_tell_vocabularies_apart(small: Tokenizer, official: Tokenizer):
    assert small.fingerprint != SMALL.fingerprint
    assert official.fingerprint == "ec17e39a0fb05345"


def test_vocab_json_with_merges_txt(small: Tokenizer, tmp_path: Path):
    small.backend.model.save(str(tmp_path))
    again = Tokenizer.from_pretrained(tmp_path)
    assert again.fingerprint == small.fingerprint


def test_a_directory_without_a_vocabulary(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"neither tokenizer.json nor vocab.json with merges.txt"):
        Tokenizer.from_pretrained(tmp_path)


def test_a_damaged_file(tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0", ')
    with pytest.raises(CheckpointError, match=r"not a readable tokenizer.json"):
        Tokenizer.from_pretrained(tmp_path)


def test_a_vocabulary_without_the_tokens_of_prompts(small: Tokenizer, tmp_path: Path):
    small.save(tmp_path)
    raw = json.loads((tmp_path / "tokenizer.json").read_text())
    raw["added_tokens"] = [token for token in raw["added_tokens"] if token["content"] != "<|im_end|>"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(raw))
    with pytest.raises(CheckpointError, match=r"has no <\|im_end\|>"):
        Tokenizer.from_pretrained(tmp_path)


@settings(max_examples=40, deadline=None)
@given(st.text())
def test_text_survives_encoding(text: str):
    assert SMALL.decode(SMALL.encode(text)) == unicodedata.normalize("NFC", text)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-5, 310)))
def test_a_stream_joined_is_the_whole(ids: list[int]):
    stream = SMALL.stream()
    assert "".join(stream.push(i) for i in ids) + stream.finish() == SMALL.decode(ids)
    joined = b"".join(SMALL.token_bytes(i) for i in ids if not SMALL.is_control(i))
    assert SMALL.decode(ids) == joined.decode("utf-8", errors="replace")


def test_a_long_text_does_not_hold_the_interpreter():
    turns, done = [0], threading.Event()

    def count() -> None:
        while not done.is_set():
            turns[0] += 1
            time.sleep(0.0001)

    other = threading.Thread(target=count)
    text = "x" * 400_000
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # nobody is asked to give way: the other thread runs while encoding lets it
    try:
        other.start()
        before = turns[0]
        num_tokens = len(SMALL.encode(text))
        during = turns[0] - before
    finally:
        done.set()
        sys.setswitchinterval(interval)
        other.join()
    assert num_tokens > 1000
    assert during > 1
