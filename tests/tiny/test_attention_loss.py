"""Where attention is told to look: targets among a pack's keys, the loss, and that it teaches."""

import math

import torch

from tests.tiny.making import learner, metrics_of_steps
from tests.train.making import MADE
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.inputs import IGNORE_INDEX, ModelInputs
from viewfinder.tiny.attention_loss import (
    MOST_EARLIER,
    PLACE_LABELS,
    attention_loss,
    attention_targets,
    earlier_labels,
    labelled_tokens,
)
from viewfinder.tiny.stream import StreamConfig, make_batch


def _inputs(grid: tuple[int, int, int]) -> tuple[ModelInputs, torch.Tensor]:
    """Two sequences of two tokens, four of a medium (7), and two more."""
    ids = torch.tensor([1, 1, 7, 7, 7, 7, 1, 1] * 2)
    inputs = ModelInputs(
        input_ids=ids,
        position_ids=torch.zeros(3, 16, dtype=torch.long),
        cu_seqlens=torch.tensor([0, 8, 16]),
        rope_deltas=(0, 0),
        grid_thw=torch.tensor([grid, grid]),
        media_kinds=("image", "image"),
        media_per_sequence=(1, 1),
    )
    return inputs, ids == 7


def _labels(**told: dict[int, int]) -> dict[str, torch.Tensor]:
    labels = {name: torch.full((16,), IGNORE_INDEX) for name in PLACE_LABELS}
    for name, marks in told.items():
        for token, value in marks.items():
            labels[name][token] = value
    return labels


def test_a_place_is_one_token_of_the_own_picture() -> None:
    inputs, media = _inputs((1, 4, 4))
    labels = _labels(next_rows={6: 3, 14: 0}, next_columns={6: 0, 14: 1})
    asked = labelled_tokens(labels)
    keys, allowed, wanted = attention_targets(inputs, media, labels, asked)
    assert asked.tolist() == [6, 14]
    assert [at[row].tolist() for at, row in zip(keys, wanted, strict=True)] == [[4], [11]]
    assert [at[row].tolist() for at, row in zip(keys, allowed, strict=True)] == [[*range(7)], [*range(8, 15)]]
    asked = torch.tensor([2, 14])
    keys, allowed, _ = attention_targets(inputs, media, labels, asked)
    assert keys[0].tolist() == [0, 1, 2, 2, 2, 2, 2]
    assert allowed[0].tolist() == [True] * 3 + [False] * 4


def test_the_form_before_the_numbers_is_asked_too_but_no_question() -> None:
    ids = torch.arange(MOST_EARLIER + 12)
    said = torch.full_like(ids, IGNORE_INDEX)
    said[2:5], said[7:] = 1, 1
    inputs = ModelInputs(
        ids, ids.expand(3, -1), torch.tensor([0, len(ids)]), (0,), media_per_sequence=(0,), labels=said
    )
    labels = {name: torch.full_like(ids, IGNORE_INDEX) for name in PLACE_LABELS}
    labels["next_rows"][MOST_EARLIER + 8], labels["next_columns"][MOST_EARLIER + 8] = 4, 5
    assert labelled_tokens(earlier_labels(inputs, labels)).tolist() == [*range(8, MOST_EARLIER + 9)]
    labels["next_rows"][8], labels["next_columns"][8] = 1, 2
    told = earlier_labels(inputs, labels)
    assert told["next_rows"][6:].tolist() == [1] * 3 + [4] * MOST_EARLIER + [IGNORE_INDEX] * 3
    assert told["next_columns"][6:].tolist() == [2] * 3 + [5] * MOST_EARLIER + [IGNORE_INDEX] * 3


def test_a_time_is_every_token_of_its_pair_of_frames() -> None:
    inputs, media = _inputs((2, 2, 4))
    labels = _labels(next_steps={14: 1})
    keys, _, wanted = attention_targets(inputs, media, labels, labelled_tokens(labels))
    assert keys[wanted].tolist() == [12, 13]


def test_a_place_outside_of_what_is_shown_does_not_count() -> None:
    inputs, media = _inputs((1, 4, 4))
    labels = _labels(next_rows={6: 9}, next_columns={6: 0})
    asked = labelled_tokens(labels)
    still = (torch.ones(16, 1), torch.zeros(16, 1))
    loss, right = attention_loss(
        torch.randn(16, 2), torch.randn(16, 2), still, asked, *attention_targets(inputs, media, labels, asked)
    )
    assert float(loss) == float(right) == 0.0


def test_the_loss_is_of_the_attention_on_the_wanted_keys() -> None:
    still = (torch.ones(3, 1), torch.zeros(3, 1))
    keys = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    queries = torch.tensor([[0.0, 0.0], [0.0, 0.0], [3.0 * math.sqrt(2), 0.0]])
    asked, at, allowed = torch.tensor([2]), torch.arange(3)[None], torch.ones(1, 3, dtype=torch.bool)
    for wanted, right in ((0, 1.0), (1, 0.0)):
        loss, accuracy = attention_loss(queries, keys, still, asked, at, allowed, at == wanted)
        scores = torch.tensor([3.0, 0.0, 0.0])
        assert math.isclose(float(loss), float(-scores.log_softmax(0)[wanted]), rel_tol=1e-5)
        assert float(accuracy) == right


def test_turned_queries_and_keys_meet_as_in_the_model() -> None:
    angle = math.pi / 2
    rope = (torch.tensor([[math.cos(a)] for a in (0.0, angle)]), torch.tensor([[math.sin(a)] for a in (0.0, angle)]))
    queries, keys = torch.tensor([[0.0, 0.0], [0.0, -9.0]]), torch.tensor([[9.0, 0.0], [9.0, 0.0]])
    _, right = attention_loss(
        queries,
        keys,
        rope,
        torch.tensor([1]),
        torch.arange(2)[None],
        torch.ones(1, 2, dtype=torch.bool),
        torch.tensor([[True, False]]),
    )
    assert float(right) == 1.0


def test_the_first_head_learns_where_what_is_asked_for_stands() -> None:
    style = SceneStyle(things=(2, 2), lines=(0, 0), repeat=0.0)
    config = StreamConfig(patches=192, max_side=112, text_share=2.0, weights={"point": 1.0}, styles=((1.0, style),))
    taken = make_batch(MADE, config, 0, 1)
    made = learner({"attention": 1.0})
    losses = metrics_of_steps(made, taken, "attention", 15)
    assert losses[-1] < 0.5 * losses[0]
    assert "attention" not in learner({})(taken).metrics
