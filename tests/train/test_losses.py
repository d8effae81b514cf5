import torch
from torch.nn import functional as F

from viewfinder.train.losses import DenseHeads, chunked_cross_entropy, dense_losses


def test_chunks_change_neither_loss_nor_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(50, 8, generator=generator, requires_grad=True)
    weight = torch.randn(11, 8, generator=generator, requires_grad=True)
    labels = torch.randint(0, 11, (50,), generator=generator)
    labels[::3] = -100
    expected = F.cross_entropy(hidden @ weight.T, labels, ignore_index=-100)
    wanted = torch.autograd.grad(expected, (hidden, weight))
    loss = chunked_cross_entropy(hidden, weight, labels, chunk=7)
    torch.testing.assert_close(loss, expected)
    for got, want in zip(torch.autograd.grad(loss, (hidden, weight)), wanted, strict=True):
        torch.testing.assert_close(got, want, atol=1e-6, rtol=1e-5)


def test_no_labels_is_no_loss() -> None:
    hidden = torch.ones(3, 4, requires_grad=True)
    loss = chunked_cross_entropy(hidden, torch.ones(5, 4), torch.full((3,), -100))
    loss.backward()
    assert loss.item() == 0.0


def test_heads_answer_each_question() -> None:
    heads = DenseHeads(6, {"kinds": (1, 4), "digits": (12, 10)})
    answers = heads(torch.zeros(7, 6))
    assert {name: tuple(value.shape) for name, value in answers.items()} == {"kinds": (7, 1, 4), "digits": (7, 12, 10)}


def test_dense_losses_leave_out_what_is_not_asked_and_the_empty_from_accuracy() -> None:
    kinds = torch.tensor([[[9.0, 0.0, 0.0]], [[9.0, 0.0, 0.0]], [[0.0, 9.0, 0.0]]])
    digits = torch.tensor([[[9.0, 0.0]], [[9.0, 0.0]], [[9.0, 0.0]]])
    result = dense_losses(
        {"kinds": kinds, "digits": digits},
        {"kinds": torch.tensor([0, 2, 1]), "digits": torch.tensor([[0], [1], [-100]])},
    )
    assert result["kinds"][1].item() == 0.5  # of the two that are something, one is named right
    assert result["digits"][1].item() == 0.5
    torch.testing.assert_close(result["digits"][0], F.cross_entropy(digits[:2, 0], torch.tensor([0, 1])))
