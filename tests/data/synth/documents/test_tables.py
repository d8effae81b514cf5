import numpy as np
import pytest

from tests.data.synth.pixels import background, measured, off_by
from viewfinder.data.synth.documents.table_questions import draw_one_table, make
from viewfinder.data.synth.documents.tables import make_grid
from viewfinder.data.synth.kinds import Options

EASY = Options(max_side=280, difficulty=0.1)
HARD = Options(min_side=300, max_side=600, difficulty=1.0)


def test_every_place_of_a_grid_has_one_cell() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        grid = make_grid(rng, int(rng.integers(1, 9)), int(rng.integers(2, 7)), spans=1.0)
        owners = np.zeros((grid.num_rows, grid.num_columns), int)
        for e in grid.entries:
            owners[e.at[0] : e.at[0] + e.rows, e.at[1] : e.at[1] + e.columns] += 1
        assert (owners == 1).all()


@pytest.mark.parametrize("options", [EASY, HARD])
def test_tables_and_cells_are_where_their_ink_is(options: Options) -> None:
    for seed in range(6):
        sheet, table = draw_one_table(np.random.default_rng(seed), options)
        found = measured(sheet.image, table.box, sheet.paper, reach=4)
        assert found is not None
        assert off_by(found, table.box) <= 1
        for e in table.grid.entries:
            words, box = table.cells[e.at]
            assert words
            assert box is not None
            ground = background(sheet.image.crop(box))
            inside = measured(sheet.image, box, ground, reach=0)
            assert inside is not None
            assert off_by(inside, box) <= 1
        grid = table.element().grid()
        assert len(grid) == table.grid.num_rows
        assert {len(row) for row in grid} == {table.grid.num_columns}


def test_splits_are_ruled_differently() -> None:
    answers = [
        make(np.random.default_rng(s), Options(difficulty=0.1, split=split)).answer
        for split in ("train", "held_out")
        for s in range(3)
    ]
    assert all(answers)
