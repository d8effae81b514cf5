"""`python -m tests.clients.scripted_agent PORT`: a server whose model fills in the form of `run_browser_use.py`.

Its words are forced, and must fit the grammar that the client's schema was compiled to.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import uvicorn

from tests.serve.scripted import ScriptedEngine
from viewfinder.engine.request import EngineRequest
from viewfinder.processor.processor import Prepared
from viewfinder.serve.app import create_app
from viewfinder.serve.settings import ServeSettings

PAGES = [page.read_text() for page in sorted(Path("docs").glob("*.md"))[:12]]


def next_action(words: str, prepared: Prepared) -> str:
    """One action a step, by what the page shows: a screenshot comes with it."""
    assert prepared.media, "there is no screenshot"
    state = words[words.rindex("<browser_state>") :]
    elements = {name: int(index) for index, name in re.findall(r"\[(\d+)\]<(input|button)", state)}
    if "Thank you, Ada" in state:
        action: dict[str, Any] = {"done": {"text": "sent", "success": True, "files_to_display": []}}
    elif "value=Ada" in state:
        action = {"click": {"index": elements["button"]}}
    else:
        action = {"input": {"index": elements["input"], "text": "Ada", "clear": True}}
    thoughts = {"thinking": "", "evaluation_previous_goal": "", "memory": "", "next_goal": "go on"}
    return json.dumps({**thoughts, "current_plan_item": 0, "plan_update": [], "action": [action]})


class SchemaEngine(ScriptedEngine):
    """Refuses words that the schema of the request does not allow."""

    def submit(self, request: EngineRequest, listener: Any = None) -> Any:
        assert request.constraint is not None, "the client asked for no schema"
        tokenizer, constraint = self.engine.processor.tokenizer, request.constraint.copy()
        words = tokenizer.decode(request.prepared.inputs.input_ids.tolist(), skip_special=False)
        said = self.script(words, request.prepared)
        for token in tokenizer.encode(said):
            allowed = constraint.bits()
            assert allowed[token // 8] >> token % 8 & 1, (said, tokenizer.decode([token]))
            constraint.accept(token)
        return super().submit(request, listener)


if __name__ == "__main__":
    engine = SchemaEngine(next_action, PAGES, 4000, 40_000)
    app = create_app(engine, ServeSettings(model_name="tiny"))
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
