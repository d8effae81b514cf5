"""The official client's own helpers: streams with tools and log probabilities, `parse` with a type."""

import json
from typing import Literal

import openai
from asked import FEATURE, QUESTION, TOOL, URL, no_such, picture
from pydantic import BaseModel

client = openai.OpenAI(base_url=URL, api_key="none", max_retries=0)
says = [{"role": "user", "content": QUESTION}]
base = {"model": "tiny", "max_tokens": 64}


class Weather(BaseModel):
    city: Literal["Rome", "Oslo"]  # a text has no end that is sure to come within the tokens


if FEATURE == "text":
    answer = client.chat.completions.create(messages=says, logprobs=True, top_logprobs=3, **base)
    tokens = answer.choices[0].logprobs.content
    assert b"".join(bytes(t.bytes) for t in tokens).decode().startswith(answer.choices[0].message.content)
elif FEATURE == "stream":
    with client.chat.completions.stream(messages=says, logprobs=True, **base) as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_completion().choices[0].message.content
    assert {"content.delta", "content.done", "logprobs.content.delta"} <= set(kinds), set(kinds)
elif FEATURE == "picture":
    parts = [{"type": "image_url", "image_url": {"url": picture()}}, {"type": "text", "text": QUESTION}]
    assert (
        client.chat.completions.create(messages=[{"role": "user", "content": parts}], **base).usage.prompt_tokens > 16
    )
elif FEATURE == "tools":
    answer = client.chat.completions.create(messages=says, tools=[TOOL], tool_choice="required", **base)
    assert json.loads(answer.choices[0].message.tool_calls[0].function.arguments)["city"] in ("Rome", "Oslo")
elif FEATURE == "stream_tools":
    with client.chat.completions.stream(messages=says, tools=[TOOL], tool_choice="required", **base) as stream:
        kinds = [event.type for event in stream]
        (call,) = stream.get_final_completion().choices[0].message.tool_calls
    assert kinds.count("tool_calls.function.arguments.delta") > 2, kinds
    assert json.loads(call.function.arguments)["city"] in ("Rome", "Oslo")
elif FEATURE == "responses":
    content = [
        {"type": "input_image", "image_url": picture(), "detail": "auto"},
        {"type": "input_text", "text": QUESTION},
    ]
    asked = {"model": "tiny", "input": [{"role": "user", "content": content}], "max_output_tokens": 64}
    whole = client.responses.create(store=False, **asked)
    assert whole.output_text
    with client.responses.stream(store=False, **asked) as stream:
        heard = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == heard == whole.output_text
elif FEATURE == "schema":
    answer = client.chat.completions.parse(messages=says, response_format=Weather, **base)
    assert answer.choices[0].message.parsed.city in ("Rome", "Oslo")
else:
    no_such()
