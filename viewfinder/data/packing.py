"""Which sequences share a pack: every pack at most `length` tokens, all packs about equally costly.

The report balances the language model's load alone (section 2.2.2), by tokens. Here the cost of the tower
counts too, since a pack of pictures and one of text differ by a factor of three for a small model. Knows
sizes only; `inputs.pack` joins the sequences themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """What one sequence takes: tokens of the language model, and FLOPs (or any cost) of all of the model."""

    tokens: int
    cost: float


@dataclass(frozen=True)
class Packing:
    """Numbers of sequences by pack, and those left for the next packs; both in order of their numbers.

    Sequences of 6, 5, 4 and 3 tokens in two packs of 9: packs (0, 3) and (1, 2), nothing left.
    """

    packs: tuple[tuple[int, ...], ...]
    left: tuple[int, ...]


def plan_packs(sizes: Sequence[Size], num_packs: int, length: int, required: int = 0) -> Packing:
    """Fill `num_packs` packs of `length` tokens with the costliest first, each into the cheapest pack with room.

    The first `required` sequences (those left by an earlier call) are placed before all others, so that none
    waits for ever; each sequence must be at most `length` tokens. A pack may stay empty when there are too
    few sequences.
    """
    assert all(size.tokens <= length for size in sizes), "a sequence longer than a pack"
    order = sorted(range(len(sizes)), key=lambda i: (i >= required, -sizes[i].cost, -sizes[i].tokens, i))
    members: list[list[int]] = [[] for _ in range(num_packs)]
    tokens, costs = [0] * num_packs, [0.0] * num_packs
    left: list[int] = []
    for i in order:
        size = sizes[i]
        fitting = [p for p in range(num_packs) if tokens[p] + size.tokens <= length]
        if not fitting:
            left.append(i)
            continue
        place = min(fitting, key=lambda p: (costs[p], p))
        members[place].append(i)
        tokens[place] += size.tokens
        costs[place] += size.cost
    return Packing(tuple(tuple(sorted(m)) for m in members), tuple(sorted(left)))


def share_packs(costs: Sequence[float], ranks: int) -> tuple[tuple[int, ...], ...]:
    """Packs of each rank, as many for each, so that packs that run at the same time cost about the same.

    Ranks wait for each other in every layer, so what counts is the largest cost at each turn: sorted by cost,
    the k-th `ranks` packs run together. Costs 5, 1, 4, 2 on two ranks: (0, 3) and (2, 1).
    """
    assert len(costs) % ranks == 0, f"{len(costs)} packs do not divide among {ranks} ranks"
    order = sorted(range(len(costs)), key=lambda i: (-costs[i], i))
    return tuple(tuple(order[rank::ranks]) for rank in range(ranks))


def balance(costs: Sequence[float], ranks: int) -> float:
    """Share of the time in which ranks work rather than wait, 0..1, for packs shared by `share_packs`."""
    shares = share_packs(costs, ranks)
    slowest = sum(max(costs[share[turn]] for share in shares) for turn in range(len(shares[0])))
    return sum(costs) / (ranks * slowest) if slowest else 1.0
