"""langchain's `ChatOpenAI`."""

from typing import Literal

from asked import FEATURE, QUESTION, URL, no_such, picture
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

model = ChatOpenAI(model="tiny", base_url=URL, api_key="none", max_tokens=64, max_retries=0, stream_usage=True)


class Weather(BaseModel):
    city: Literal["Rome", "Oslo"]


@tool
def weather(city: Literal["Rome", "Oslo"]) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


if FEATURE == "text":
    assert model.invoke(QUESTION).content
elif FEATURE == "stream":
    chunks = list(model.stream(QUESTION))
    assert "".join(chunk.content for chunk in chunks)
    assert any(chunk.usage_metadata for chunk in chunks)
elif FEATURE == "picture":
    parts = [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": picture()}}]
    assert model.invoke([HumanMessage(parts)]).usage_metadata["input_tokens"] > 16
elif FEATURE in ("tools", "stream_tools"):
    bound = model.bind_tools([weather], tool_choice="any")
    if FEATURE == "tools":
        answer = bound.invoke(QUESTION)
    else:
        first, *rest = bound.stream(QUESTION)
        answer = sum(rest, first)
    (call,) = answer.tool_calls
    said = [HumanMessage(QUESTION), answer, ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])]
    model.bind_tools([weather]).invoke(said)
elif FEATURE == "schema":
    assert model.with_structured_output(Weather).invoke(QUESTION).city in ("Rome", "Oslo")
elif FEATURE == "responses":
    model = model.model_copy(update={"use_responses_api": True})
    assert model.invoke(QUESTION).text
    assert "".join(chunk.text for chunk in model.stream(QUESTION))
else:
    no_such()
