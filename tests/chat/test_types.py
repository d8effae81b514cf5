"""What the public jobs take is visible to a type checker, and many pictures can be asked about at once."""

import json
import subprocess
import sys
from pathlib import Path

from tests.doubles import ScriptedChat, small_processor
from viewfinder.chat import Viewfinder

SNIPPET = """
from pydantic import BaseModel
from viewfinder import Viewfinder

class Receipt(BaseModel):
    total: float

def f(v: Viewfinder) -> None:
    v.locate(12, "dog")  # wrong
    v.locate("a.png", "dog")
    v.moments("a.mp4", "goal", fsp=2.0)  # wrong
    v.moments("a.mp4", "goal", fps=2.0)
    reveal_type(v.extract("a.png", Receipt))
    for found in v.map(lambda v, path: v.locate(path, "dog"), ["a.png"]):
        reveal_type(found)
"""


def test_wrong_media_and_options_are_errors_for_pyright(tmp_path: Path) -> None:
    path = tmp_path / "snippet.py"
    path.write_text(SNIPPET)
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    said = json.loads(done.stdout)["generalDiagnostics"]
    wrong = [number for number, line in enumerate(SNIPPET.splitlines()) if line.endswith("# wrong")]
    assert sorted({d["range"]["start"]["line"] for d in said if d["severity"] == "error"}) == wrong
    types = [d["message"] for d in said if d["severity"] == "information"]
    assert [name in text for name, text in zip(("Receipt", "Found[Box]"), types, strict=True)] == [True, True]


def test_map_keeps_the_order_and_tells_progress() -> None:
    processor = small_processor()
    viewfinder = Viewfinder(ScriptedChat(processor, lambda messages: messages[0].text), processor)
    done: list[int] = []
    questions = [f"question {i}" for i in range(20)]
    answers = list(viewfinder.map(lambda v, q: v.ask(None, q), questions, batch_size=4, progress=done.append))
    assert answers == questions
    assert done == list(range(1, 21))
    assert "ScriptedChat" in repr(viewfinder)
