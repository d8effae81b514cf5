"""What the public jobs take is visible to a type checker, and many pictures can be asked about at once."""

import asyncio
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.doubles import ScriptedChat, small_processor
from viewfinder.chat import Answer, Viewfinder, load
from viewfinder.errors import SettingsError

SNIPPET = """
from pydantic import BaseModel
from viewfinder import Viewfinder, load

class Receipt(BaseModel):
    total: float

def f(v: Viewfinder) -> None:
    v.locate(12, "dog")  # wrong
    v.locate("a.png", "dog")
    v.moments("a.mp4", "goal", fsp=2.0)  # wrong
    v.moments("a.mp4", "goal", fps=2.0)
    v.parse("a.pdf", page=[1])  # wrong
    v.parse("a.pdf", pages=[1], workers=2)
    v.extract("a.png", ["total"], place=False)  # wrong
    reveal_type(v.extract("a.png", Receipt))
    for found in v.map(lambda v, path: v.locate(path, "dog"), ["a.png"]):
        reveal_type(found)

async def g(v: Viewfinder) -> None:
    await v.alocate(12, "dog")  # wrong
    reveal_type(await v.alocate("a.png", "dog"))
    reveal_type(v.chart("a.png").to_pandas)
    load(max_pixel=3)  # wrong
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
    wanted = ("Receipt", "Found[Box]", "Found[Box]", "to_pandas")
    assert [name in text for name, text in zip(wanted, types, strict=True)] == [True] * 4


def test_map_keeps_the_order_and_tells_progress() -> None:
    processor = small_processor()
    viewfinder = Viewfinder(ScriptedChat(processor, lambda messages: messages[0].text), processor)
    done: list[int] = []
    questions = [f"question {i}" for i in range(20)]
    answers = list(viewfinder.map(lambda v, q: v.ask(None, q), questions, batch_size=4, progress=done.append))
    assert answers == questions
    assert done == list(range(1, 21))
    assert "ScriptedChat" in repr(viewfinder)


def test_jobs_are_awaited_side_by_side() -> None:
    processor = small_processor()
    viewfinder = Viewfinder(ScriptedChat(processor, lambda messages: messages[0].text), processor)

    async def both() -> list[Answer]:
        return await asyncio.gather(viewfinder.aask(None, "one"), viewfinder.aask(None, question="two"))

    assert asyncio.run(both()) == ["one", "two"]
    jobs = [name for name in vars(Viewfinder) if inspect.iscoroutinefunction(getattr(Viewfinder, name))]
    assert {name[1:] for name in jobs} == {
        *("ask", "chat", "locate", "point", "count", "read", "spot", "parse", "chart", "extract", "extraction"),
        *("moments", "describe"),
    }


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda v: v.parse("a.pdf", page=[1]), "page is no option of parse; did you mean pages?"),
        (lambda v: v.extract("a.png", ["x"], sampler=1), "sampler is no option of extract; did you mean sampling?"),
        (lambda v: v.moments("a.mp4", "goal", fsp=1.0), "fsp is no option of moments; did you mean fps?"),
        (lambda v: v.locate(Image.new("RGB", (56, 56)), "dog", max_items=0), "max_items is 0"),
        (lambda _: load(max_pixel=3), "max_pixel is no budget; did you mean max_pixels?"),
        (lambda _: load(dtype="bfloat61"), "bfloat61 is no dtype of a model; did you mean bfloat16?"),
        (lambda v: v.processor.settings.with_(fsp=1), "fsp is no setting of the processor; did you mean fps?"),
    ],
)
def test_wrong_settings_are_named_with_the_nearest_right_one(call: Callable[[Viewfinder], Any], said: str) -> None:
    processor = small_processor()
    viewfinder = Viewfinder(ScriptedChat(processor, lambda messages: messages[0].text), processor)
    with pytest.raises(SettingsError, match=re.escape(said)):
        call(viewfinder)
