"""A row is tokenized once, and its inputs are those that one whole preparation gives."""

from collections import Counter
from itertools import islice

import pytest
import torch

from tests.train.making import KINDS, MADE, captions, model_config, pair_rows, rows, sample
from viewfinder.data import places
from viewfinder.processor.processor import Processor
from viewfinder.train.collators import AnswerCollator, Collator, ContrastiveCollator, PreferenceCollator, load_sample
from viewfinder.train.dataloader import PackedLoader, RowSource

MODEL = model_config(MADE)


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_are_those_of_one_whole_preparation(kind: str) -> None:
    found = load_sample(AnswerCollator(MADE, MODEL, 256), sample(kind, 4)).inputs
    wanted = places.prepare(sample(kind, 4), MADE).inputs
    for name, value in vars(wanted).items():
        same = (
            torch.equal(value, getattr(found, name)) if isinstance(value, torch.Tensor) else value == vars(found)[name]
        )
        assert same, name


@pytest.mark.parametrize(
    ("collator", "source", "texts"),
    [
        (AnswerCollator(MADE, MODEL, 256), rows, 1),
        (PreferenceCollator(MADE, MODEL, 256), pair_rows, 2),
        (ContrastiveCollator(MADE, MODEL, 256), captions, 1),
    ],
)
def test_each_text_of_a_row_is_prepared_once_and_pixels_only_where_it_is_trained_on(
    collator: Collator, source: RowSource, texts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()
    for name in ("prepare", "pixel_values"):
        whole = getattr(Processor, name)

        def counted(*args: object, whole: object = whole, name: str = name, **options: object) -> object:
            calls[name] += 1
            assert name != "prepare" or options["pixels"] is False
            return whole(*args, **options)  # type: ignore[operator]

        monkeypatch.setattr(Processor, name, counted)
    pixels = []
    for rank, ranks in ((0, 1), (0, 2), (1, 2)):
        calls.clear()
        (step,) = islice(PackedLoader(source, collator, 256, 2, rank, ranks)(None), 1)
        read = step.position["next"]
        assert calls["prepare"] == texts * read
        pixels.append(calls["pixel_values"])
    whole, *shares = pixels
    assert 0 < sum(shares) == whole <= read
    assert all(0 < share < whole for share in shares)
