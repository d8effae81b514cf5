"""A loss on attention: at each token whose next token says a place or a time, one head should look at the media token
of that place.

A linear head can only read from a state what it already contains. Which of several things a question means is found by
comparing the question with every token of the picture, and attention makes that comparison. Trained on answers alone, a
small model did not find it in eight hours: of two things it boxed one at random. With this loss and `word_loss` it does
(docs/notes/2026-11-26-choosing.md).

A picture of 2 x 2 tokens behind two others, and a token that is asked about row 1, column 0: wanted of its seven keys
is [0, 0, 0, 0, 1, 0, 0].
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from viewfinder.inputs import IGNORE_INDEX, ModelInputs
from viewfinder.model.layers import rotate

PLACE_LABELS = ("next_rows", "next_columns", "next_steps")
"""Labels of places: rows of 14 pixels, columns of 28 pixels, pairs of frames."""
THING_LABELS = {"kinds": "next_kinds", "colors": "next_colors"}
"""Labels of what stands there, by the label of media tokens with the same answers."""
MOST_EARLIER = 12
"""Tokens before the first number of a place that get its labels too. The choice among several things is made there."""


def earlier_labels(inputs: ModelInputs, labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`PLACE_LABELS` and the values of `THING_LABELS`, each also up to `MOST_EARLIER` tokens earlier in the answer.

    In "a [ 4 , 5 ] b" with label 7 on the numbers, all tokens from "a" to "5" get the label 7.
    """
    assert inputs.labels is not None
    told = _told(labels)
    at = torch.arange(len(told), device=told.device)
    following = torch.where(told, at, len(told)).flip(0).cummin(0).values.flip(0)
    says = torch.cat([inputs.labels[1:], inputs.labels[:1]]) != IGNORE_INDEX
    answer = (~says).cumsum(0)
    known = following < len(told)
    following = torch.where(known, following, at)
    near = known & says & (answer[following] == answer) & (following - at <= MOST_EARLIER)
    names = [name for name in (*PLACE_LABELS, *THING_LABELS.values()) if name in labels]
    return {name: torch.where(near, labels[name][following], labels[name]) for name in names}


def labelled_tokens(labels: Mapping[str, Tensor]) -> Int[Tensor, " A"]:
    """Tokens that have a label of a place."""
    return _told(labels).nonzero().flatten()


def _told(labels: Mapping[str, Tensor]) -> Bool[Tensor, " T"]:
    return torch.stack([labels[name] != IGNORE_INDEX for name in PLACE_LABELS]).any(dim=0)


def attention_targets(
    inputs: ModelInputs, media: Bool[Tensor, " T"], labels: Mapping[str, Tensor], asked: Int[Tensor, " A"]
) -> tuple[Int[Tensor, "A L"], Bool[Tensor, "A L"], Bool[Tensor, "A L"]]:
    """For each asked token the keys from the first of its sequence on, which of them it may attend to (up to itself),
    and which it should. Rows are as long as the longest; the rest is filled with the token itself, not allowed."""
    assert inputs.grid_thw is not None
    starts = inputs.cu_seqlens.to(asked.device)
    first = starts[torch.searchsorted(starts, asked, right=True) - 1, None]
    longest = int((asked - first[:, 0]).max()) + 1 if len(asked) else 0
    keys = first + torch.arange(longest, device=asked.device)
    allowed = keys <= asked[:, None]
    keys = torch.minimum(keys, asked[:, None])
    where = torch.full((3, len(media)), -1, device=media.device)
    where[:, media] = torch.cat([_coordinates(*grid) for grid in inputs.grid_thw.tolist()], dim=1).to(media.device)
    steps, rows, columns = where[:, keys]
    row, column, step = (labels[name][asked, None] for name in PLACE_LABELS)
    there = (rows == row.div(2, rounding_mode="floor")) & (columns == column) & (row != IGNORE_INDEX)
    then = (steps == step) & (step != IGNORE_INDEX)
    return keys, allowed, allowed & media[keys] & (there | then)


def _coordinates(pairs: int, rows: int, columns: int) -> Int[Tensor, "3 M"]:
    """Pair of frames, row and column of each token of a grid of patches."""
    sides = (torch.arange(n) for n in (pairs, rows // 2, columns // 2))
    return torch.stack(torch.meshgrid(*sides, indexing="ij")).flatten(1)


def attention_loss(
    queries: Float[Tensor, "T D"],
    keys: Float[Tensor, "T E"],
    rope: tuple[Float[Tensor, "T half"], Float[Tensor, "T half"]],
    asked: Int[Tensor, " A"],
    at: Int[Tensor, "A L"],
    allowed: Bool[Tensor, "A L"],
    wanted: Bool[Tensor, "A L"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean of -log(attention on the wanted keys), and how often the most looked at key is one.

    Tokens without a wanted key (a place outside what is shown) do not count.

    Args:
        queries, keys: what the projections of the layer give, before they are turned.
        rope: cosine and sine of every token.
        at, allowed, wanted: `attention_targets` of the asked tokens.
    """
    known = wanted.any(dim=1)
    asked, at, allowed, wanted = asked[known], at[known], allowed[known], wanted[known]
    if not len(asked):
        return (queries[:1].sum() + keys[:1].sum()) * 0.0, torch.zeros((), device=keys.device)
    dim = 2 * rope[0].shape[-1]
    query = rotate(queries[asked, :dim], rope[0][asked], rope[1][asked])
    scores = (query @ rotate(keys[:, :dim], *rope).T).gather(1, at).float() / dim**0.5
    scores = scores.masked_fill(~allowed, float("-inf"))
    loss = scores.logsumexp(dim=1) - scores.masked_fill(~wanted, float("-inf")).logsumexp(dim=1)
    right = wanted.gather(1, scores.argmax(dim=1, keepdim=True)).float().mean()
    return loss.mean(), right.detach()
