import numpy as np

from viewfinder.data.synth.words import CHARACTERS, common_words, make_line, make_word


def test_lines_keep_to_length_and_characters() -> None:
    rng = np.random.default_rng(0)
    lines = [make_line(rng, 12) for _ in range(500)]
    assert all(0 < len(line) <= 12 for line in lines)
    assert set("".join(lines)) <= {*CHARACTERS, " "}
    assert not any(line != line.strip() or "  " in line for line in lines)
    assert len(set(lines)) > 400


def test_many_words_are_on_no_list() -> None:
    rng = np.random.default_rng(1)
    words = [make_word(rng).lower() for _ in range(400)]
    known = sum(word in common_words() for word in words)
    assert 100 < known < 260
