"""Our metrics beside lmms-eval's own code; VLMEvalKit's is compared by `bench/metrics_beside.py --vlmevalkit`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.parity
BENCH = Path(__file__).parents[2] / "bench" / "metrics_beside.py"


def test_every_difference_from_lmms_eval_is_explained(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    done = subprocess.run(
        [sys.executable, str(BENCH), "--count", "150", "--json", str(told)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["metric"]: row for row in json.loads(told.read_text())}
    same = {name for name, row in rows.items() if row["equal"] == 150}
    assert same >= {"anls", "vqa", "iou", "inside", "temporal", "bag", "teds"}
    assert set(rows) - same <= {"relaxed", "contains", "count", "letter", "fields"}
