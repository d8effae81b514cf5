"""A checkpoint directory with random weights, and a way to run the command line as its user does."""

import contextlib
import dataclasses
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.conftest import random_model, small_config
from tests.doubles import small_processor, special_ids
from viewfinder.cli.app import main
from viewfinder.model import save_pretrained


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole directory: weights, vocabulary, settings. It sees nothing, but its answers must be valid."""
    directory = tmp_path_factory.mktemp("checkpoint")
    processor = small_processor(max_pixels=112 * 112, video_max_pixels=56 * 56, video_min_pixels=28 * 28)
    config = small_config(vocab_size=300).model_copy(update=special_ids(processor))
    save_pretrained(random_model(config), directory)
    processor.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = Image.new("RGB", (200, 100), "white")
    ImageDraw.Draw(image).rectangle((20, 30, 80, 70), fill="red")
    path = tmp_path_factory.mktemp("media") / "box.png"
    image.save(path)
    return path


@dataclasses.dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Run `viewfinder` in this process, which spares loading everything again."""

    def call(*arguments: object) -> Run:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["viewfinder", *map(str, arguments)])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                return Run(int(end.code or 0), out.getvalue(), err.getvalue())
        return Run(0, out.getvalue(), err.getvalue())

    return call


@pytest.fixture(scope="session")
def run() -> Callable[..., Run]:
    """Run `viewfinder` in a process of its own."""

    def call(*arguments: object) -> Run:
        command = [sys.executable, "-m", "viewfinder", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return Run(done.returncode, done.stdout, done.stderr)

    return call
