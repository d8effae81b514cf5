"""pydantic-ai's agent over chat completions."""

import base64
from typing import Literal

from asked import FEATURE, QUESTION, URL, no_such, picture
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url=URL, api_key="none")
model = OpenAIChatModel("tiny", provider=provider)
limits = {"max_tokens": 64}


class Weather(BaseModel):
    city: Literal["Rome", "Oslo"]


if FEATURE == "text":
    assert Agent(model, model_settings=limits).run_sync(QUESTION).output
elif FEATURE == "stream":
    result = Agent(model, model_settings=limits).run_stream_sync(QUESTION)
    assert "".join(result.stream_text(delta=True))
elif FEATURE == "picture":
    data = BinaryContent(base64.b64decode(picture().partition(",")[2]), media_type="image/png")
    assert Agent(model, model_settings=limits).run_sync([QUESTION, data]).output
elif FEATURE == "tools":
    assert Agent(model, output_type=ToolOutput(Weather), model_settings=limits).run_sync(QUESTION).output.city
elif FEATURE == "stream_tools":
    result = Agent(model, output_type=ToolOutput(Weather), model_settings=limits).run_stream_sync(QUESTION)
    assert result.get_output().city
elif FEATURE == "schema":
    assert Agent(model, output_type=NativeOutput(Weather), model_settings=limits).run_sync(QUESTION).output.city
elif FEATURE == "responses":
    agent = Agent(OpenAIResponsesModel("tiny", provider=provider), model_settings=limits)
    whole = agent.run_sync(QUESTION).output
    assert whole == "".join(agent.run_stream_sync(QUESTION).stream_text(delta=True)) != ""
else:
    no_such()
