"""Fonts of the system with the names of those that are drawn with change nothing: libraries that look there are tried.

`runs/same_bytes.py` does it for every kind.
"""

import subprocess
import sys
from pathlib import Path

LOOK_AROUND = ("web_pages", "plots", "plots_plotly", "notations")


def test_fonts_of_the_system_change_nothing() -> None:
    script = Path(__file__).parents[2] / "runs" / "same_bytes.py"
    command = [sys.executable, str(script), *LOOK_AROUND, "--count", "6"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert f"0 of {2 * len(LOOK_AROUND)} sets differ" in done.stdout
