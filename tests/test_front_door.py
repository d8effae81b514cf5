"""What `import viewfinder` gives, and what it does not cost."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import viewfinder
from viewfinder.chat import Viewfinder, load

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_load_and_viewfinder_are_at_the_front_door() -> None:
    assert viewfinder.load is load
    assert viewfinder.Viewfinder is Viewfinder


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = viewfinder.lode


def test_outputs_and_the_package_itself_load_without_torch() -> None:
    code = "import sys, viewfinder, viewfinder.outputs.boxes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_built_in_model_sees() -> None:
    """The picture decides: the same question about a blank one of the same size finds no star in the same place."""
    model = viewfinder.load()
    star = model.locate(EXAMPLES / "shapes.png", "every blue star")
    blank = model.locate(Image.new("RGB", (140, 112), "#f4f1ea"), "every blue star")
    assert any(box.xyxy[0] < 40 < box.xyxy[2] and box.xyxy[1] < 40 < box.xyxy[3] for box in star)
    assert not any(box.overlap(star[0]) > 0.5 for box in blank)
