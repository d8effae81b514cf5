"""`llm` with a model of its extra-openai-models.yaml, as its command line makes it."""

import base64
import os
import tempfile
from pathlib import Path

from asked import FEATURE, QUESTION, URL, WEATHER, no_such, picture

folder = Path(tempfile.mkdtemp())
os.environ["LLM_USER_PATH"] = str(folder)
(folder / "extra-openai-models.yaml").write_text(
    f"- model_id: ours\n  model_name: tiny\n  api_base: {URL}\n  vision: true\n  supports_tools: true\n"
    "  supports_schema: true\n"
)
import llm  # noqa: E402

model = llm.get_model("ours")
model.key = "none"


def weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


if FEATURE == "text":
    assert model.prompt(QUESTION, stream=False, max_tokens=64).text()
elif FEATURE == "stream":
    assert "".join(model.prompt(QUESTION, max_tokens=64))
elif FEATURE == "picture":
    data = base64.b64decode(picture().partition(",")[2])
    model.prompt(QUESTION, attachments=[llm.Attachment(content=data)], stream=False, max_tokens=64).text()
elif FEATURE == "schema":
    assert model.prompt(QUESTION, schema=WEATHER, stream=False, max_tokens=64).text()
elif FEATURE == "tools":
    model.chain(QUESTION, tools=[weather], stream=False, options={"max_tokens": 64}).text()
elif FEATURE == "stream_tools":
    "".join(model.chain(QUESTION, tools=[weather], options={"max_tokens": 64}))
else:
    no_such()
