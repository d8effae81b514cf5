"""The passes of training in bfloat16 on a CPU against PyTorch's own in float32."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from viewfinder.model import native
from viewfinder.model.training_kernels import trained_attention, trained_norm, trained_rotation, trained_swiglu

BUILT = native.library() is not None
pytestmark = pytest.mark.skipif(not BUILT, reason="no C compiler here: PyTorch's passes are used")


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


LENGTHS = [5, 100, 33, 2, 64, 70]


def attended(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    parts = [
        F.scaled_dot_product_attention(*(x.transpose(0, 1)[None] for x in one), is_causal=causal, enable_gqa=True)
        for one in zip(*(x.split(LENGTHS) for x in (q, k, v)), strict=True)
    ]
    return torch.cat([part[0].transpose(0, 1) for part in parts])


def heads_of(dim: int) -> list[Tensor]:
    return [drawn(sum(LENGTHS), heads, dim, seed=dim + heads) for heads in (4, 2, 2)]


CASES: dict[str, tuple[Callable[..., Tensor | None], Callable[..., Tensor], list[Tensor]]] = {
    "norm": (
        lambda x, w: trained_norm(x, w, 1e-6),
        lambda x, w: F.rms_norm(x, w.shape, w, 1e-6),
        [drawn(37, 48), drawn(48, seed=1, dtype=torch.float32)],
    ),
    "norm of float32": (
        lambda x, w: trained_norm(x, w, 1e-2),
        lambda x, w: F.rms_norm(x, w.shape, w, 1e-2),
        [drawn(5, 256, dtype=torch.float32) * 30, drawn(256, seed=1, dtype=torch.float32)],
    ),
    "swiglu": (trained_swiglu, lambda a, b: F.silu(a) * b, [drawn(33, 50) * 9, drawn(33, 50, seed=1)]),
    "rotation": (
        lambda x: trained_rotation(x[:, :2], *ANGLES),
        lambda x: turned(x[:, :2], *ANGLES),
        [drawn(21, 3, 4, 16)],
    ),
}
if native.kernel("attention_slopes") is not None:  # the processor multiplies bfloat16 itself
    CASES |= {
        f"attention of heads of {dim}, {'causal' if causal else 'whole'}": (
            partial(trained_attention, lengths=LENGTHS, causal=causal),
            partial(attended, causal=causal),
            heads_of(dim),
        )
        for dim, causal in ((32, False), (64, True), (64, False), (80, False), (128, True))
    }
_TURNS = drawn(21, 1, 1, 8, seed=5, dtype=torch.float32)
ANGLES = (_TURNS.cos(), _TURNS.sin())


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_pytorch(name: str) -> None:
    ours, theirs, inputs = CASES[name]
    own = [x.clone().requires_grad_() for x in inputs]
    exact = [x.double().requires_grad_() for x in inputs]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = ours(*own)
    assert found is not None
    assert found.dtype == torch.bfloat16
    expected = theirs(*exact)
    given = drawn(*expected.shape, seed=9)
    found.backward(given)
    expected.backward(given.double())
    torch.testing.assert_close(found.double(), expected, rtol=0.01, atol=0.01)
    for mine, right in zip(own, exact, strict=True):
        assert mine.grad is not None
        assert right.grad is not None
        torch.testing.assert_close(mine.grad.double(), right.grad, rtol=0.01, atol=0.01 * float(right.grad.abs().max()))


def test_they_serve_training_under_autocast_alone() -> None:
    x, weight = drawn(4, 8), torch.ones(8, requires_grad=True)
    assert trained_norm(x, weight, 1e-6) is None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert trained_norm(x, weight, 1e-6) is not None
        with torch.no_grad():
            assert trained_norm(x, weight, 1e-6) is None
