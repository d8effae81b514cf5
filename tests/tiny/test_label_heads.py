import pytest
import torch
from torch.nn import functional as F

from viewfinder.tiny.label_heads import LabelHeads, label_losses


def test_heads_answer_each_question() -> None:
    heads = LabelHeads(6, {"kinds": (1, 4), "digits": (12, 10)})
    answers = heads(torch.zeros(7, 6))
    assert {name: tuple(value.shape) for name, value in answers.items()} == {"kinds": (7, 1, 4), "digits": (7, 12, 10)}


def test_dense_losses_leave_out_what_is_not_asked_and_the_empty_from_accuracy() -> None:
    kinds = torch.tensor([[[9.0, 0.0, 0.0]], [[9.0, 0.0, 0.0]], [[0.0, 9.0, 0.0]]])
    digits = torch.tensor([[[9.0, 0.0]], [[9.0, 0.0]], [[9.0, 0.0]]])
    result = label_losses(
        {"kinds": kinds, "digits": digits},
        {"kinds": torch.tensor([0, 2, 1]), "digits": torch.tensor([[0], [1], [-100]])},
    )
    assert result["kinds"][1].item() == 0.5  # of the two that are something, one is named right
    assert result["digits"][1].item() == 0.5
    torch.testing.assert_close(result["digits"][0], F.cross_entropy(digits[:2, 0], torch.tensor([0, 1])))


def test_a_row_below_the_answers_of_its_head_is_not_asked_and_of_other_heads_it_is_a_mistake() -> None:
    rows = torch.tensor([[[9.0, 0.0]], [[9.0, 0.0]]])
    loss, right = label_losses({"next_rows": rows}, {"next_rows": torch.tensor([0, 35])})["next_rows"]
    torch.testing.assert_close(loss, F.cross_entropy(rows[0], torch.tensor([0])))
    assert right.item() == 1.0
    with pytest.raises(IndexError):
        label_losses({"next_cells": rows}, {"next_cells": torch.tensor([0, 35])})
