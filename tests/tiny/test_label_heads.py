from pathlib import Path

import torch
from torch.nn import functional as F

from viewfinder.recipes.sizes import read_heads
from viewfinder.tiny.label_heads import LabelHeads, label_losses
from viewfinder.train.checkpoint import save_state


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


def test_a_head_of_another_size_begins_anew_and_the_others_go_on(tmp_path: Path) -> None:
    before = LabelHeads(6, {"kinds": (1, 4), "rows": (1, 5), "digits": (2, 3)})
    save_state(tmp_path, 1, {f"weights.heads.seen.{n}": t for n, t in before.state_dict().items()}, {})
    after = LabelHeads(6, {"kinds": (1, 4), "rows": (1, 9), "words": (1, 2), "digits": (2, 3)})
    drawn = {n: t.clone() for n, t in after.state_dict().items()}
    read_heads({"seen": after}, tmp_path)
    for name, tensor in after.state_dict().items():
        kept = name.split(".")[1] in ("kinds", "digits")
        torch.testing.assert_close(tensor, (before.state_dict() if kept else drawn)[name], rtol=0, atol=0)
