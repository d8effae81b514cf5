"""These tests need the extra `parity`, so they are collected only where they are chosen (`-m parity`)."""

import pytest


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return True if "not parity" in config.getoption("markexpr") else None
