"""Things in the language model's own words: logits, what is not asked, and that states go to the words."""

import torch

from tests.tiny.making import learner, metrics_of_steps
from tests.train.making import MADE
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.inputs import IGNORE_INDEX
from viewfinder.tiny.stream import StreamConfig, make_batch
from viewfinder.tiny.word_loss import WordHeads, word_loss

_TABLE = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])
_WORDS = WordHeads({"colors": [[1], [2], [3, 4]], "kinds": [[], [1], [3]]})


def test_a_state_is_named_by_the_word_it_points_along() -> None:
    logits = _WORDS(torch.tensor([[5.0, 0.0], [0.0, 0.1], [-1.0, -1.0]]), _TABLE)
    assert logits["colors"].argmax(dim=1).tolist() == [0, 1, 2]


def test_answers_without_a_word_are_not_asked() -> None:
    assert _WORDS.answers("kinds", torch.tensor([0, 1, IGNORE_INDEX, 2])).tolist() == [IGNORE_INDEX, 1, IGNORE_INDEX, 2]


def test_states_learn_the_words_and_the_words_stay() -> None:
    states, table = torch.zeros(2, 2).normal_().requires_grad_(), _TABLE.clone().requires_grad_()
    labels = {"colors": torch.tensor([1, IGNORE_INDEX]), "kinds": torch.full((2,), IGNORE_INDEX)}
    loss, right = word_loss(_WORDS, states, table, labels)
    loss.backward()
    assert table.grad is None
    assert states.grad is not None
    assert states.grad[0].abs().sum() > 0
    assert states.grad[1].abs().sum() == 0
    assert float(right) in (0.0, 1.0)


def test_nothing_asked_is_nothing_lost() -> None:
    labels = {name: torch.full((2,), IGNORE_INDEX) for name in ("colors", "kinds")}
    loss, right = word_loss(_WORDS, torch.ones(2, 2), _TABLE, labels)
    assert float(loss.detach()) == float(right) == 0.0


def test_the_language_model_learns_to_name_what_stands_there_and_what_is_asked_for() -> None:
    style = SceneStyle(things=(2, 2), lines=(0, 0), repeat=0.0)
    config = StreamConfig(patches=192, max_side=112, text_share=2.0, weights={"point": 1.0}, styles=((1.0, style),))
    taken = make_batch(MADE, config, 0, 1)
    made = learner({"words": 1.0})
    rights = metrics_of_steps(made, taken, "accuracy/words", 20)
    assert rights[-1] > 0.8
    assert rights[-1] > rights[0] + 0.3
