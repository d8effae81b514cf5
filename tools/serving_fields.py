"""Write the table of chat fields in `docs/serving.md` from the code: `python tools/serving_fields.py`."""

import re
from pathlib import Path

from viewfinder.serve.openai_fields import UNUSED
from viewfinder.serve.protocol import ChatRequest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "serving.md"
MARK = re.compile(r"(<!-- fields -->\n).*?(<!-- /fields -->)", re.DOTALL)


def table() -> str:
    """Every field that is known: used, or the values it is taken at and why no others."""
    used = ", ".join(f"`{name}`" for name in ChatRequest.model_fields)
    rows = [f"| `{name}` | {field.values} | {field.why} |" for name, field in UNUSED.items()]
    return "\n".join([f"Used: {used}.\n", "| taken, and changes nothing | values | others |", "|---|---|---|", *rows])


if __name__ == "__main__":
    text = table()
    PAGE.write_text(MARK.sub(lambda match: f"{match[1]}{text}\n{match[2]}", PAGE.read_text()))
