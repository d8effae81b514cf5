"""A reading loss on the vision tower: connectionist temporal classification (CTC; Graves et al. 2006) over the cells
that a line of text crosses.

The heads of `token_labels` name the character of every cell, which punishes a letter named one cell too far. CTC asks
only for the right characters in the right order. It uses the same head, so it has no weights of its own.

"ab" over five cells: [a, -, b, b, -] and [-, a, a, -, b] both read "ab".
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from viewfinder.data.synth.text_lines import TextLine
from viewfinder.tiny.token_labels import CELLS, CHARACTER_IDS, TOKEN

LONGEST = 48
"""Characters of a line; longer ones are not asked for."""
_AROUND = 1
"""Cells before the first letter and after the last that are read too."""


def line_labels(size: tuple[int, int], lines: Sequence[TextLine], picture: int) -> NDArray[np.int64]:
    """(L, 4 + LONGEST): number of the picture in its batch, row of cells, first cell and the cell after the last in it,
    then the characters' ids, 0 behind the end. Lines with unknown characters are left out."""
    rows: list[list[int]] = []
    for line in lines:
        ids = [CHARACTER_IDS.get(character, 0) for character in line.text]
        if not 0 < len(ids) <= LONGEST or 0 in ids or not 0 <= line.middle < size[1]:
            continue
        first, last = (int(x // (TOKEN / CELLS)) for x in (line.box[0], line.box[2]))
        cells = max(0, first - _AROUND), min(size[0] // TOKEN * CELLS, last + 1 + _AROUND)
        rows.append([picture, int(line.middle // (TOKEN / 2)), *cells, *ids, *[0] * (LONGEST - len(ids))])
    return np.array(rows, np.int64).reshape(-1, 4 + LONGEST)


def reading_loss(
    logits: Float[Tensor, "M 16 A"], grid_thw: Int[Tensor, "N 3"], lines: Int[Tensor, "L columns"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean over lines of the CTC loss a character, and the share of lines that are read without an error.

    Args:
        logits: of the characters of each token's cells, two rows of `CELLS`; answer 0 is "nothing".
        grid_thw: of all pictures of the batch, in patches.
        lines: `line_labels` of all pictures.
    """
    if not len(lines):
        return logits.sum() * 0.0, logits.new_zeros(())
    lines = lines.cpu()  # where grids are, and indices are computed
    rows, lengths = cell_rows(grid_thw, lines)
    seen = logits.flatten(0, 1)[rows.to(logits.device)].float().log_softmax(dim=-1)
    written = lines[:, 4:]
    targets, given, sizes = (part.to(logits.device) for part in (written, lengths, (written != 0).sum(dim=1)))
    losses = F.ctc_loss(seen, targets, given, sizes, blank=0, reduction="none", zero_infinity=True) / sizes
    return losses.mean(), _read_right(seen.detach().argmax(dim=-1), written, lengths)


def cell_rows(grid_thw: Int[Tensor, "N 3"], lines: Int[Tensor, "L columns"]) -> tuple[Int[Tensor, "C L"], Tensor]:
    """For each line the indices of its cells among all cells of the batch (M x 16), padded to the longest with its last
    cell, and the number of cells."""
    columns = grid_thw[:, 2] // 2
    starts = torch.cat([columns.new_zeros(1), (grid_thw[:, 0] * (grid_thw[:, 1] // 2) * columns).cumsum(0)])
    picture, row, first, stop = lines[:, :4].unbind(1)
    lengths = (stop - first).clamp(min=1)
    at = torch.minimum(torch.arange(int(lengths.max()))[:, None], lengths - 1) + first
    token = starts[picture] + row // 2 * columns[picture] + at // CELLS
    return token * 2 * CELLS + row % 2 * CELLS + at % CELLS, lengths


def _read_right(best: Int[Tensor, "C L"], written: Int[Tensor, "L W"], lengths: Int[Tensor, " L"]) -> Tensor:
    """Repeats joined, nothing left out: equal to what is written?"""
    right = 0
    for said, true, length in zip(best.T.tolist(), written.tolist(), lengths.tolist(), strict=True):
        kept = [a for a, before in zip(said[:length], [0, *said], strict=False) if a and a != before]
        right += kept == [character for character in true if character]
    return torch.tensor(right / len(written))
