"""Layout of patches: the worked example, the official window sizes, and that nothing is lost."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.config import VisionConfig
from viewfinder.model.vision import WindowGroup, vision_layout

OFFICIAL = VisionConfig(out_hidden_size=2048)
SMALL_WINDOWS = VisionConfig(out_hidden_size=2048, window_size=56)  # windows of 2x2 tokens

grids = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 12).map(lambda n: 2 * n), st.integers(1, 12).map(lambda n: 2 * n)),
    min_size=1,
    max_size=4,
)


def test_worked_example_of_the_docstring() -> None:
    layout = vision_layout(torch.tensor([[1, 6, 10]]), SMALL_WINDOWS)
    assert layout.order.tolist() == [0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 12, 13, 14]
    assert layout.runs[0].groups == (WindowGroup(0, 2, 16), WindowGroup(32, 3, 8), WindowGroup(56, 1, 4))


def test_windows_that_divide_stand_in_the_official_order() -> None:
    layout = vision_layout(torch.tensor([[1, 16, 16]]), OFFICIAL)
    assert layout.order[:9].tolist() == [0, 1, 2, 3, 8, 9, 10, 11, 16]
    assert layout.runs[0].groups == (WindowGroup(0, 4, 64),)


def test_border_windows_have_the_official_lengths() -> None:
    """cu_window_seqlens of (1,18,18) is 0,64,128,144,208,272,288,304,320,324: 4 of 64, 4 of 16, one of 4."""
    groups = vision_layout(torch.tensor([[1, 18, 18]]), OFFICIAL).runs[0].groups
    assert [(g.count, g.length) for g in groups] == [(4, 64), (4, 16), (1, 4)]


def test_frames_of_one_size_share_a_run_and_others_start_a_new_one() -> None:
    runs = vision_layout(torch.tensor([[2, 10, 20], [1, 10, 20], [1, 4, 4]]), OFFICIAL).runs
    assert [(r.start, r.num_frames, r.patches_per_frame) for r in runs] == [(0, 3, 200), (600, 1, 16)]


@given(grids)
def test_every_token_stands_once_and_every_window_is_compact(grids: list[tuple[int, int, int]]) -> None:
    layout = vision_layout(torch.tensor(grids), OFFICIAL)
    assert sorted(layout.order.tolist()) == list(range(sum(t * h * w // 4 for t, h, w in grids)))
    for run in layout.runs:
        assert run.groups[-1].stop == run.patches_per_frame
        for frame in range(run.num_frames):
            for group in run.groups:
                for window in range(group.count):
                    start = run.start + frame * run.patches_per_frame + group.start + window * group.length
                    cells = layout.rows_cols[start : start + group.length] // 8
                    assert (cells == cells[0]).all()
