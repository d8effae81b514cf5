"""Symbols in the place of sight: sums of vectors, the tower's distance from them, and what learns when."""

import torch
from torch import Tensor

from tests.tiny.making import learner, metrics_of_steps
from tests.train.making import MADE
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.processor.processor import Processor
from viewfinder.tiny.label_embeddings import LabelEmbeddings, alignment_loss
from viewfinder.tiny.stream import StreamConfig, make_batch
from viewfinder.train.batches import AnswerBatch
from viewfinder.train.learner import Learner

TABLES = LabelEmbeddings(4, {"letters": (2, 3), "kinds": (1, 2)})


def feature(letters: list[int], kind: int) -> Tensor:
    return TABLES({"letters": torch.tensor([letters]), "kinds": torch.tensor([kind])})[0]


def test_a_feature_is_the_sum_of_the_vectors_of_its_labels() -> None:
    rows = TABLES.table.weight
    assert torch.allclose(feature([2, 0], 1), rows[1 + 2] + rows[1 + 3 + 0] + rows[1 + 6 + 1])
    assert torch.allclose(feature([-100, 1], -100), rows[1 + 3 + 1])


def test_what_was_not_asked_adds_nothing() -> None:
    assert torch.equal(feature([-100, -100], -100), torch.zeros(4))


def test_the_distance_is_a_share_of_the_variance() -> None:
    symbols = torch.tensor([[0.0, 2.0], [4.0, 6.0]])
    assert float(alignment_loss(symbols, symbols)) == 0.0
    assert float(alignment_loss(symbols.mean(dim=0).expand(2, 2), symbols)) == 1.0


def batch(processor: Processor) -> AnswerBatch:
    style = SceneStyle(things=(0, 1), lines=(1, 1), text_size=(16, 20), max_chars=4)
    config = StreamConfig(patches=96, max_side=112, text_share=2.0, weights={"read": 1.0}, styles=((1.0, style),))
    return make_batch(processor, config, 0, 1)


def parts_with_gradient(made: Learner) -> set[str]:
    named = {"visual": made.model.visual, "language": made.model.model} | dict(made.heads.items())
    return {
        name
        for name, part in named.items()
        if any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
    }


def test_who_sees_symbols_needs_no_tower() -> None:
    made = learner({"token_labels": 0.5}, media_input="labels")
    loss = made(batch(MADE))
    loss.total.backward()
    assert parts_with_gradient(made) == {"language", "text", "answer", "symbols"}
    assert {"token_labels/next_rows", "token_labels/next_cells", "token_labels/digits", "answer"} <= loss.metrics.keys()
    assert "token_labels/characters" not in loss.metrics


def test_the_tower_learns_to_say_the_symbols_which_stay() -> None:
    made = learner({"feature_alignment": 1.0}, answer_weight=0.0)
    taken, before = batch(MADE), made.heads["symbols"].table.weight.clone()
    distances = metrics_of_steps(made, taken, "feature_alignment", 12)
    assert parts_with_gradient(made) == {"visual"}
    assert torch.equal(made.heads["symbols"].table.weight, before)
    assert distances[-1] < 0.8 * distances[0]
