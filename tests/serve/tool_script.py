"""Scripted answers of a model that calls tools when it has some, for clients of every form."""

import contextlib
import json

from tests.serve.conftest import SANDBOX, Running, serving
from tests.serve.scripted import ScriptedEngine
from viewfinder.processor.processor import Prepared
from viewfinder.serve.settings import ServeSettings

CALL = {"name": "look_up", "arguments": {"city": "Oslo", "days": [1, 2]}}
WORDS = "I look it up.\n"
FOUND = "It is 21 degrees."
SPECIFICATION = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}},
    "required": ["city"],
}


def answer(words: str, prepared: Prepared) -> str:
    """A call where tools are offered, unless one has answered already; the number of media where there are some."""
    if "<tools>" in words and "<tool_response>" not in words:
        return f"{WORDS}<tool_call>\n{json.dumps(CALL)}\n</tool_call>"
    if prepared.media:
        return f"{len(prepared.media)} pictures"
    return FOUND


def tool_engine() -> ScriptedEngine:
    return ScriptedEngine(answer)


def tool_serving() -> contextlib.AbstractContextManager[Running]:
    """A server of it."""
    return serving(ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1), tool_engine())
