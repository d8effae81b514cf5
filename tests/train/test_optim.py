import pytest
import torch
from torch import Tensor, nn

from tests.peak_memory import PeakMemory
from viewfinder.train import optim
from viewfinder.train.config import LrScaleConfig, OptimizerConfig
from viewfinder.train.optim import (
    AveragedWeights,
    Muon,
    build_optimizers,
    lr_factor,
    optimizer_tensors,
    orthogonalize,
)


@pytest.mark.parametrize("shape", [(3, 8, 5), (2, 5, 8), (1, 6, 6)])
def test_orthogonalize_levels_the_singular_values(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalize(matrices))
    assert float(values.min()) > 0.4
    assert float(values.max()) < 1.4
    spread = torch.linalg.svdvals(matrices)
    assert float(spread.max() / spread.min()) > float(values.max() / values.min())


def test_a_batch_is_orthogonalized_as_its_members() -> None:
    matrices = torch.randn(3, 4, 7, generator=torch.Generator().manual_seed(2))
    single = torch.cat([orthogonalize(m[None]) for m in matrices])
    torch.testing.assert_close(orthogonalize(matrices), single)


@pytest.mark.parametrize("narrow", [False, True])
def test_muon_reduces_a_quadratic(narrow: bool) -> None:
    target = torch.randn(6, 4, generator=torch.Generator().manual_seed(3))
    weight = nn.Parameter(torch.zeros(6, 4))
    optimizer = Muon([{"params": [weight], "lr": 0.05}], narrow=narrow)
    for _ in range(80):
        optimizer.zero_grad()
        (weight - target).square().sum().backward()
        optimizer.step()
    with torch.no_grad():
        left = float((weight - target).square().mean())
    assert left < 0.05 * float(target.square().mean())


def muon_step(count: int, narrow: bool) -> tuple[list[Tensor], float]:
    """Weights after two steps over `count` matrices of 64 x 48, and the memory that the second took, in matrices of the
    dtype in which it is orthogonalized."""
    generator = torch.Generator().manual_seed(4)
    weights = [nn.Parameter(torch.randn(64, 48, generator=generator)) for _ in range(count)]
    optimizer = Muon([{"params": weights, "lr": 0.05}], narrow=narrow)
    for _ in range(2):
        for weight in weights:
            weight.grad = torch.randn(64, 48, generator=generator)
        with PeakMemory() as memory:
            optimizer.step()
    return [weight.detach() for weight in weights], memory.peak / (64 * 48 * (2 if narrow else 4))


@pytest.mark.parametrize("narrow", [False, True])
def test_the_memory_of_muon_does_not_grow_with_the_layers_and_groups_change_nothing(
    narrow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, unbounded = muon_step(24, narrow)
    monkeypatch.setattr(optim, "AT_ONCE", 4 * 64 * 48)
    apart, bounded = muon_step(24, narrow)
    assert bounded <= 6 * 4 < unbounded / 3
    assert muon_step(12, narrow)[1] == bounded
    for first, second in zip(together, apart, strict=True):
        torch.testing.assert_close(first, second, atol=1e-3 if narrow else 1e-6, rtol=0)


def test_rates() -> None:
    config = OptimizerConfig(warmup=10, cooldown=0.5, final=0.0)
    rates = [lr_factor(step, 100, config) for step in (0, 9, 50, 75, 100)]
    assert rates == [0.1, 1.0, 1.0, 0.5, 0.0]


def test_a_time_limit_cools_down_by_time_once_the_warm_up_has_ended() -> None:
    config = OptimizerConfig(warmup=10, cooldown=0.5, final=0.0)
    rates = [
        lr_factor(step, 100, config, share) for step, share in ((4, 0.9), (20, 0.4), (20, 0.75), (80, 0.1), (20, 1.0))
    ]
    assert rates == pytest.approx([0.5, 1.0, 0.5, 0.4, 0.0])


def test_cosine_falls_from_the_warm_up_to_the_end() -> None:
    config = OptimizerConfig(warmup=10, schedule="cosine", final=0.2)
    assert [round(lr_factor(step, 110, config), 3) for step in (4, 10, 60, 110)] == [0.5, 1.0, 0.6, 0.2]


def test_matrices_of_blocks_go_to_muon_and_each_part_has_its_own_rate() -> None:
    visual = {
        "blocks": nn.ModuleList([nn.Linear(4, 4)]),
        "merger": nn.ModuleDict({"mlp": nn.ModuleList([nn.Linear(4, 4)])}),
    }
    model = {
        "visual": nn.ModuleDict(visual),
        "model": nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(4, 4)]), "embed_tokens": nn.Embedding(9, 4)}),
    }
    learner = nn.ModuleDict({"model": nn.ModuleDict(model), "heads": nn.Linear(4, 2)})
    config = OptimizerConfig(muon_lr=1.0, adamw_lr=0.1, weight_decay=0.5)
    muon, adamw = build_optimizers(learner, config, LrScaleConfig(tower=0.5, merger=0.2, heads=3.0))
    assert isinstance(muon, Muon)
    assert sorted((g["peak"], len(g["params"])) for g in muon.param_groups) == [(0.2, 1), (0.5, 1), (1.0, 1)]
    found = sorted((round(g["peak"], 4), g["weight_decay"], len(g["params"])) for g in adamw.param_groups)
    assert found == [(0.02, 0.0, 1), (0.05, 0.0, 1), (0.1, 0.0, 1), (0.1, 0.5, 1), (0.3, 0.0, 1), (0.3, 0.5, 1)]


def test_frozen_parameters_are_in_no_optimizer() -> None:
    learner = nn.ModuleDict({"model": nn.ModuleDict({"model": nn.Linear(4, 4)}), "heads": nn.Linear(4, 2)})
    learner["model"].requires_grad_(False)
    (adamw,) = build_optimizers(learner, OptimizerConfig())
    assert sum(len(g["params"]) for g in adamw.param_groups) == 2


def test_state_by_name_is_the_state_itself() -> None:
    layer = nn.Linear(2, 2)
    learner = nn.ModuleDict({"model": nn.ModuleDict({"layers": nn.ModuleList([layer])})})
    optimizers = build_optimizers(learner, OptimizerConfig())
    names = {id(p): n for n, p in learner.named_parameters()}
    tensors = optimizer_tensors(optimizers, names)
    assert sorted(tensors) == [
        "model.layers.0.bias.exp_avg",
        "model.layers.0.bias.exp_avg_sq",
        "model.layers.0.bias.step",
        "model.layers.0.weight.momentum",
    ]
    layer(torch.ones(1, 2)).sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    assert float(tensors["model.layers.0.bias.step"]) == 1
    assert float(tensors["model.layers.0.weight.momentum"].abs().sum()) > 0


def test_average_follows() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    average = AveragedWeights(module, decay=0.9)
    nn.init.ones_(module.weight)
    average.update(module, step=0)  # keeps 1 / 10 at first
    assert average.values["weight"].item() == pytest.approx(0.9)
    average.update(module, step=10_000)
    assert average.values["weight"].item() == pytest.approx(0.91)


def test_averaged_weights_are_swapped_in_and_out() -> None:
    module = nn.Linear(1, 1, bias=False)
    average = AveragedWeights(module, decay=0.9)
    before = module.weight.item()
    nn.init.ones_(module.weight)
    with average.swapped_in(module):
        assert module.weight.item() == before
    assert module.weight.item() == 1.0
    assert average.values["weight"].item() == before
