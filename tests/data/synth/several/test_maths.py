import re

import numpy as np

from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.several import maths, texts

EASY = Options(max_side=252, difficulty=0.1)


def test_every_step_that_computes_is_right() -> None:
    sums = 0
    for split in ("train", "held_out"):
        for seed in range(60):
            sample = maths.make(np.random.default_rng(seed), Options(max_side=200, difficulty=0.2, split=split))  # type: ignore[arg-type]
            for left, right in re.findall(r"((?:\d+ [-+x/] )+\d+) = (-?\d+)\b(?!/)", sample.answer):
                assert eval(left.replace("x", "*")) == int(right), sample.answer
                sums += 1
            assert sample.answer.endswith(f"Answer: {sample.truth['turns'][0]['answer']}")
    assert sums > 60


def test_problems_of_the_splits_differ() -> None:
    assert not set(maths.PROBLEMS) & set(maths.HELD_OUT_PROBLEMS)


def test_figures_are_drawn() -> None:
    for seed in range(20):
        (medium,) = maths.make(np.random.default_rng(seed), EASY).media
        assert np.asarray(medium.image.convert("L"), float).std() > 3  # type: ignore[union-attr]


def test_words_alone_answer_rightly() -> None:
    checked = 0
    for seed in range(200):
        sample = texts.make(np.random.default_rng(seed), EASY)
        assert not sample.media
        for ask, answer in zip(sample.messages[::2], sample.messages[1::2], strict=True):
            if (match := re.fullmatch(r"What is (\d+(?: plus \d+)+)\?", ask.text)) is not None:
                assert sum(map(int, match[1].split(" plus "))) == int(answer.text)
                checked += 1
            if (match := re.fullmatch(r"Sort (.*)\.", ask.text)) is not None:
                assert sorted(map(int, match[1].split(", "))) == list(map(int, answer.text.split(", ")))
                checked += 1
    assert checked > 20
