"""llama-index's `OpenAILike`."""

from typing import Literal

from asked import FEATURE, QUESTION, URL, no_such, picture
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

model = OpenAILike(
    model="tiny",
    api_base=URL,
    api_key="none",
    is_chat_model=True,
    is_function_calling_model=True,
    should_use_structured_outputs=True,
    max_tokens=64,
    max_retries=0,
)
says = [ChatMessage(role="user", content=QUESTION)]


class Weather(BaseModel):
    city: Literal["Rome", "Oslo"]


def weather(city: Literal["Rome", "Oslo"]) -> str:
    """Weather of a city."""
    return city


if FEATURE == "text":
    assert model.chat(says).message.content
elif FEATURE == "stream":
    assert "".join(chunk.delta or "" for chunk in model.stream_chat(says))
elif FEATURE == "picture":
    message = ChatMessage(role="user", blocks=[ImageBlock(url=picture()), TextBlock(text=QUESTION)])
    assert model.chat([message]).message is not None
elif FEATURE in ("tools", "stream_tools"):
    tools = [FunctionTool.from_defaults(weather)]
    if FEATURE == "tools":
        answer = model.chat_with_tools(tools, QUESTION, tool_required=True)
    else:
        *_, answer = model.stream_chat_with_tools(tools, QUESTION, tool_required=True)
    (call,) = model.get_tool_calls_from_response(answer)
    assert call.tool_kwargs["city"] in ("Rome", "Oslo")
elif FEATURE == "schema":
    assert model.as_structured_llm(Weather).chat(says).raw.city in ("Rome", "Oslo")
else:
    no_such()
