"""A file of the package is read in one sitting: at most 300 lines."""

from pathlib import Path

import viewfinder

PACKAGE = Path(viewfinder.__file__).parent


def test_no_file_is_over_300_lines() -> None:
    counted = {path.relative_to(PACKAGE): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert len(counted) > 100
    assert {str(path): lines for path, lines in counted.items() if lines > 300} == {}
