import torch
from torch.nn import functional as F

from viewfinder.train.losses import (
    contrastive_loss,
    next_token_loss,
    preference_losses,
    token_log_probs,
)


def test_chunks_change_neither_loss_nor_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(50, 8, generator=generator, requires_grad=True)
    weight = torch.randn(11, 8, generator=generator, requires_grad=True)
    labels = torch.randint(0, 11, (50,), generator=generator)
    labels[::3] = -100
    expected = F.cross_entropy(hidden @ weight.T, labels, ignore_index=-100, reduction="sum")
    wanted = torch.autograd.grad(expected, (hidden, weight))
    loss = next_token_loss(hidden, weight, labels, chunk=7)
    torch.testing.assert_close(loss, expected)
    for got, want in zip(torch.autograd.grad(loss, (hidden, weight)), wanted, strict=True):
        torch.testing.assert_close(got, want, atol=1e-6, rtol=1e-5)


def test_no_labels_is_no_loss() -> None:
    hidden = torch.ones(3, 4, requires_grad=True)
    loss = next_token_loss(hidden, torch.ones(5, 4), torch.full((3,), -100))
    loss.backward()
    assert loss.item() == 0.0


def test_a_frozen_projection_gets_no_gradient_and_the_hidden_states_the_same() -> None:
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(9, 4, generator=generator, requires_grad=True)
    weight = torch.randn(5, 4, generator=generator)
    labels = torch.tensor([1, 2, -100, 0, 4, 4, 3, -100, 1])
    (2 * next_token_loss(hidden, weight, labels, chunk=2)).backward()
    wanted = torch.autograd.grad(
        2 * F.cross_entropy(hidden @ weight.T, labels, ignore_index=-100, reduction="sum"), hidden
    )[0]
    torch.testing.assert_close(hidden.grad, wanted)


def test_log_probs_of_tokens_are_minus_their_losses() -> None:
    generator = torch.Generator().manual_seed(2)
    hidden = torch.randn(6, 4, generator=generator, requires_grad=True)
    weight = torch.randn(5, 4, generator=generator)
    labels = torch.tensor([1, -100, 0, 4, -100, 3])
    values = token_log_probs(hidden, weight, labels, chunk=2)
    assert values[1] == values[4] == 0
    torch.testing.assert_close(-values.sum(), next_token_loss(hidden, weight, labels))


def test_contrast_of_matched_pairs_is_low_and_by_row_and_column() -> None:
    images = torch.eye(3)
    loss, right = contrastive_loss(images, images, images, images, torch.tensor(10.0), 0)
    assert right == 3
    assert loss < 0.01
    texts = F.normalize(torch.randn(3, 3, generator=torch.Generator().manual_seed(3)), dim=-1)
    target = torch.arange(3)
    expected = 1.5 * (F.cross_entropy(images @ texts.T, target) + F.cross_entropy(texts @ images.T, target))
    torch.testing.assert_close(contrastive_loss(images, texts, images, texts, torch.tensor(1.0), 0)[0], expected)


def test_preference_is_that_of_the_paper() -> None:
    policy, reference = torch.tensor([[-1.0, -2.0]]), torch.tensor([[-1.5, -1.0]])
    loss, rewards = preference_losses(policy, reference, beta=0.1)
    torch.testing.assert_close(rewards, torch.tensor([[0.05, -0.1]]))
    torch.testing.assert_close(loss, -F.logsigmoid(torch.tensor([0.15])))
