"""Drawing one of the likeliest tokens of each row, by min-p, top-k and top-p, and knowing when those are not enough."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def draw_token(
    values: Float[Tensor, "K C"], settings: Float[Tensor, "K S"], all_odds: Float[Tensor, "K 1"] | None
) -> tuple[Int[Tensor, "K 1"], Tensor]:
    """The place of the token drawn among the likeliest, whose logits are `values`, by min-p, top-k and top-p; and
    whether it would be the same among all, whose odds to the likeliest sum to `all_odds` (None: these are all).

    With probabilities [0.5, 0.3, 0.15, 0.05] and `top_p=0.7` the first two are kept: the smallest set whose sum reaches
    0.7. A draw of 0.6 is at 0.48 of their 0.8, so it takes the first; one of 0.7 is at 0.56 and takes the second. Sums
    are in double precision: in single, a flat row of 150,000 tokens would end elsewhere.
    """
    min_p, top_k, top_p, draw = settings[:, :4, None].unbind(1)
    likeliest, least = values[:, :1], values[:, -1:]
    last = values.gather(1, (top_k.long() - 1).clamp(0, values.shape[1] - 1))
    floor = torch.maximum(torch.where(top_k > 0, last, float("-inf")), likeliest + min_p.log())
    odds = torch.where(values >= floor, (values - likeliest).exp(), 0.0)
    is_whole = (least < floor) | least.isneginf() if all_odds is not None else torch.ones_like(least, dtype=torch.bool)
    whole = odds.sum(-1, keepdim=True)
    share = odds / (whole if all_odds is None else torch.where(is_whole, whole, all_odds))
    kept = share.cumsum(-1) - share < top_p
    share = torch.where(kept, share, 0.0)
    mass = share.cumsum(-1)
    has_no_floor = floor.isneginf()  # else the sum of all is not yet the sum of those above it
    is_cut = is_whole | (has_no_floor & ~kept[:, -1:])
    target = draw * torch.where(is_cut, mass[:, -1:], 1.0)
    place = torch.minimum((mass <= target).sum(-1, keepdim=True), (share > 0).sum(-1, keepdim=True) - 1).clamp(min=0)
    return place, is_cut | (has_no_floor & top_p.isinf() & (target < mass[:, -1:]))
