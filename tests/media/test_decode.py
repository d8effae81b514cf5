"""Where decoding begins, what is read over, and how the work is shared. Numbers only."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from viewfinder.media.decode import Run, join_near, runs_by_keyframe, split_evenly
from viewfinder.media.packets import NO_TIME, PacketIndex

MILLI = Fraction(1, 1000)


def index(pts: list[int], key: str) -> PacketIndex:
    return PacketIndex.build(pts, [k == "K" for k in key], [True] * len(pts), 0, MILLI)


def test_reordered_packets() -> None:
    """The worked example: decoded I P B, shown I B P."""
    found = index([0, 200, 100], "K..")
    assert found.ordered
    assert found.shown.tolist() == [0, 2, 1]
    assert found.shown_pts.tolist() == [0, 100, 200]
    assert found.position(100) == 2
    assert found.position(7) is None


def test_clocks_that_cannot_be_trusted() -> None:
    assert not index([0, NO_TIME, 100], "K..").ordered
    assert not index([0, 100, 100], "K..").ordered
    assert not index([0, 20_000, 100], "K..").ordered  # set back by 20 s
    assert index([0, 9_000, 100], "K..").ordered
    assert index([0, 20_000, 100], "K..").shown.tolist() == [0, 1, 2]


def test_hidden_packets_are_not_frames() -> None:
    found = PacketIndex.build([0, 50, 100], [True, False, False], [True, False, True], 0, MILLI)
    assert found.shown.tolist() == [0, 2]


def test_a_frame_shown_before_its_keyframe_needs_the_one_before() -> None:
    """An open GOP: packet 4 follows keyframe 3 but is shown before it, and refers to what came earlier."""
    found = index([0, 100, 200, 400, 300, 500], "K..K..")
    assert runs_by_keyframe(found, [3]) == [Run(0, 4, (3,))]
    assert runs_by_keyframe(found, [4]) == [Run(3, 3, (4,))]
    assert runs_by_keyframe(found, [1, 3, 5]) == [Run(0, 4, (1, 3)), Run(3, 5, (5,))]


def test_near_runs_join_and_far_ones_do_not() -> None:
    assert join_near([Run(0, 5, (5,)), Run(10, 12, (12,)), Run(100, 101, (101,))]) == [
        Run(0, 12, (5, 12)),
        Run(100, 101, (101,)),
    ]


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 80)), min_size=1, max_size=40), st.integers(1, 8))
def test_shares_hold_every_frame_once(lengths: list[tuple[int, int]], parts: int) -> None:
    runs, at = [], 0
    for length, gap in lengths:
        runs.append(Run(at, at + length - 1, (at + length - 1,)))
        at += length + gap
    shares = split_evenly(runs, parts)
    assert len(shares) <= parts
    wanted = [i for share in shares for run in share for i in run.wanted]
    assert wanted == [run.wanted[0] for run in runs]
    heaviest = max(sum(run.cost for run in runs if run.wanted[0] in {i for r in s for i in r.wanted}) for s in shares)
    assert heaviest <= sum(run.cost for run in runs) / parts + max(run.cost for run in runs)
