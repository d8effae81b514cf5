"""These tests need the extra `parity`, so they are collected only where they are chosen (`-m parity`)."""

import pytest


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if "parity" in config.getoption("markexpr").replace("not parity", "") else True
