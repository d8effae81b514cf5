import numpy as np
import torch

from viewfinder.data.synth.text_lines import TextLine
from viewfinder.tiny.reading_loss import LONGEST, cell_rows, line_labels, reading_loss
from viewfinder.tiny.token_labels import CHARACTER_IDS, FINE_CELLS

GRID = torch.tensor([[1, 4, 6], [1, 2, 4]])
"""Pictures of 2 x 3 and 1 x 2 tokens: 84 x 56 and 56 x 28 pixels."""
WORD = TextLine("ab", "black", (30, 14, 42, 27), (33.0, 39.0), 20.0)


def logits_saying(cells: dict[int, str]) -> torch.Tensor:
    """Logits of the eight tokens that name these cells and nothing in others."""
    logits = torch.zeros(8 * FINE_CELLS, len(CHARACTER_IDS) + 1)
    logits[:, 0] = 9.0
    for cell, character in cells.items():
        logits[cell] = 0.0
        logits[cell, CHARACTER_IDS[character]] = 9.0
    return logits.unflatten(0, (8, FINE_CELLS))


def test_labels_name_the_cells_that_a_line_crosses() -> None:
    labels = line_labels((84, 56), [WORD], picture=3)
    assert labels[0, :4].tolist() == [3, 1, 7, 14]  # cells of 3.5 pixels: 30 lies in 8, 42 in 12; one more on each side
    assert labels[0, 4:7].tolist() == [CHARACTER_IDS["a"], CHARACTER_IDS["b"], 0]


def test_lines_that_cannot_be_spelt_or_are_too_long_are_left_out() -> None:
    strange = TextLine("a人", "black", WORD.box, WORD.centers, WORD.middle)
    endless = TextLine("a" * (LONGEST + 1), "black", WORD.box, WORD.centers, WORD.middle)
    assert line_labels((84, 56), [strange, endless], 0).shape == (0, 4 + LONGEST)


def test_cells_are_found_in_the_right_picture_row_and_token() -> None:
    lines = torch.from_numpy(np.concatenate([line_labels((84, 56), [WORD], 0), line_labels((56, 28), [WORD], 1)]))
    lines[1, 2:4] = torch.tensor([6, 10])
    rows, lengths = cell_rows(GRID, lines)
    assert lengths.tolist() == [7, 4]
    assert rows[:, 0].tolist() == [0 * 16 + 15, *range(16 + 8, 16 + 14)]  # token 0, then token 1, lower rows of cells
    assert rows[:4, 1].tolist() == [6 * 16 + 14, 6 * 16 + 15, 7 * 16 + 8, 7 * 16 + 9]


def test_right_characters_in_order_cost_nothing_wherever_they_stand() -> None:
    lines = torch.from_numpy(line_labels((84, 56), [WORD], 0))
    near, right = reading_loss(logits_saying({24: "a", 26: "b"}), GRID, lines)
    moved, also = reading_loss(logits_saying({25: "a", 26: "a", 28: "b"}), GRID, lines)
    swapped, wrong = reading_loss(logits_saying({24: "b", 26: "a"}), GRID, lines)
    assert max(near, moved) < 0.1 < 3.0 < swapped
    assert (right, also, wrong) == (1.0, 1.0, 0.0)


def test_no_line_costs_nothing() -> None:
    loss, right = reading_loss(logits_saying({}), GRID, torch.from_numpy(line_labels((84, 56), [], 0)))
    assert loss == right == 0.0
