"""What people put right in the playground is what `viewfinder train sft` learns."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from tests.media.films import write_film
from tests.recipes.making import checkpoint
from tests.serve.conftest import SANDBOX, picture_bytes, serving, uri
from tests.train.making import losses
from viewfinder.chat import load
from viewfinder.cli.app import app
from viewfinder.serve.settings import ServeSettings

SETTINGS = ["workers=0", "threads=1", "bf16=false", "log_every=1", "peak_flops=1e12"]
FAST = ["optimizer.warmup=2", "optimizer.matrices=adamw", "optimizer.adamw_lr=0.01", "optimizer.ema=0"]


def corrections(film: bytes) -> list[dict[str, Any]]:
    """One of each task."""
    picture = uri(picture_bytes())
    box = {"box": [20, 30, 100, 70], "label": "red box"}
    page = '<html><body>\n<h1 data-bbox="10 20 110 40">A</h1>\n</body></html>'
    return [
        {"images": [picture], "task": "locate", "question": "red box", "boxes": [box], "model_answer": "[]"},
        {"images": [picture], "task": "point", "question": "red box", "points": [{"point": [60, 50]}]},
        {"images": [picture, picture], "task": "ask", "question": "Same?", "text": "Yes."},
        {"images": [picture], "task": "read", "text": "A\nB"},
        {"images": [picture], "task": "extract", "question": "total", "text": '{"total": "1"}'},
        {"document": picture, "task": "parse", "text": page},
        {"video": uri(film, "video/mp4"), "task": "moments", "question": "it", "spans": [{"start": 0.5, "end": 1}]},
    ]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a server with `--samples` kept corrections in."""
    folder = tmp_path_factory.mktemp("served")
    film = write_film(folder / "a.mp4", [i / 10 for i in range(20)], size=(64, 64)).read_bytes()
    settings = ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1, samples=str(folder / "kept"))
    with serving(settings) as running:
        for one in corrections(film):
            answer = httpx.post(f"{running.url}/samples", json=one, timeout=60)
            assert answer.status_code == 200, answer.text
    return folder / "kept"


def train(folder: Path, init: Path, out: Path, *settings: str) -> list[float]:
    """Losses of `viewfinder train sft --data FOLDER`."""
    options = ["--data", str(folder), "--init", str(init), "--out", str(out)]
    result = CliRunner().invoke(app, ["train", "sft", *options, *SETTINGS, *FAST, *settings])
    assert result.exit_code == 0, result.output
    assert "skipped" not in result.output
    return losses(out)


def test_all_kinds_of_corrections_train(kept: Path, tmp_path: Path) -> None:
    checkpoint(tmp_path / "start")
    curve = train(kept, tmp_path / "start", tmp_path / "run", "steps=25", "seq_len=2048")
    assert sum(curve[-3:]) < 0.7 * sum(curve[:3])
    manifest = json.loads((kept / "manifest.json").read_text())
    assert manifest["samples"] == 7
    load(str(tmp_path / "run" / "export"))
