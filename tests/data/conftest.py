import pytest

from tests.data import operators
from viewfinder.data.catalogue import OPERATORS, SOURCES


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test sources and operators by name, in this process."""
    monkeypatch.setitem(SOURCES, "boxes", lambda: operators.Boxes)
    for name, operator in {"odd": operators.Odd, "first_ten": operators.FirstTen}.items():
        monkeypatch.setitem(OPERATORS, name, lambda operator=operator: operator)
