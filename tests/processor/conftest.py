"""Tokenizers shared by the tests: the official one, and a small one trained on a few sentences."""

import pytest

from viewfinder.processor.tokenizer import Tokenizer

SENTENCES = ["the cat sat on the mat", "locate the red box and count 12 boxes", "point to the blue circle\n"] * 20


@pytest.fixture(scope="session")
def official() -> Tokenizer:
    return Tokenizer.official()


@pytest.fixture(scope="session")
def small() -> Tokenizer:
    return Tokenizer.train(SENTENCES, 320)
