"""The process of a user's reward function. Run as a file; imports nothing of ours.

    python user_worker.py FILE.py FUNCTION

One line of JSON, {"answer": ..., "about": {...}}, is one call `function(answer, about)`; one line comes back,
{"value": number} or {"error": text}. The first line is {} once the file is loaded, or {"error": text} as the last one.
What the function prints goes to the error output.
"""

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any


def main(path: str, name: str) -> None:
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path.insert(0, str(Path(path).resolve().parent))
    defined: dict[str, Any] = {}
    problem = ""
    try:
        defined = runpy.run_path(path)
        problem = "" if callable(defined.get(name)) else f"{path} has no function {name}"
    except BaseException as error:
        problem = f"{path} cannot be loaded ({type(error).__name__}: {error})"
    replies.write(json.dumps({"error": problem} if problem else {}) + "\n")
    replies.flush()
    if problem:
        return
    for line in sys.stdin:
        call = json.loads(line)
        try:
            reply = {"value": float(defined[name](call["answer"], call["about"]))}
        except BaseException as error:
            reply = {"error": f"{name} raised {type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
