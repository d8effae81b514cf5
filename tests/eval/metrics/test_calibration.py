"""Calibration figures on cases whose values are plain."""

import pytest

from viewfinder.eval.metrics.intervals import brier, expected_calibration_error, ranking


def test_always_sure_and_half_right() -> None:
    assert expected_calibration_error([0.9] * 4, [1, 0, 1, 0]) == pytest.approx(0.4)
    assert brier([0.5, 0.5], [1, 0]) == 0.25
    assert brier([1.0, 0.0], [1, 0]) == 0.0


def test_bins_are_weighted_by_size() -> None:
    # three at 0.95 all right (gap 0.05), one at 0.15 wrong (gap 0.15)
    assert expected_calibration_error([0.95, 0.95, 0.95, 0.15], [1, 1, 1, 0]) == pytest.approx((3 * 0.05 + 0.15) / 4)


def test_errors_do_not_cancel_across_bins() -> None:
    assert expected_calibration_error([0.95, 0.05], [0, 1]) == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("sure", "right", "value"),
    [([0.9, 0.1], [1, 0], 1.0), ([0.1, 0.9], [1, 0], 0.0), ([0.5, 0.5], [1, 0], 0.5), ([0.9, 0.2], [1, 1], 0.5)],
)
def test_ranking(sure: list[float], right: list[float], value: float) -> None:
    assert ranking(sure, right) == value


def test_nothing_is_no_error() -> None:
    assert expected_calibration_error([], []) == brier([], []) == 0.0
