"""A job that is killed at random moments and started again leaves what an undisturbed one leaves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = int(os.environ.get("VIEWFINDER_KILLS", "200"))
"""Per subsystem."""
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("job", ["train", "data-build", "library", "corrections", "batch", "eval", "agent-play"])
def test_kills_at_random_moments_change_nothing(job: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.kill", job, str(tmp_path), str(KILLS), "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"{KILLS} kills" in done.stdout
