"""litellm's `openai/` route."""

import json

import litellm
from asked import FEATURE, QUESTION, TOOL, URL, WEATHER, no_such, picture

says = [{"role": "user", "content": QUESTION}]
base = {"model": "openai/tiny", "api_base": URL, "api_key": "none", "max_tokens": 64}

if FEATURE == "text":
    assert litellm.completion(messages=says, presence_penalty=0.1, top_p=0.9, **base).choices[0].message.content
elif FEATURE == "stream":
    chunks = list(litellm.completion(messages=says, stream=True, stream_options={"include_usage": True}, **base))
    whole = litellm.stream_chunk_builder(chunks, messages=says)
    assert whole.choices[0].message.content
    assert whole.usage.completion_tokens > 0
elif FEATURE == "picture":
    parts = [{"type": "image_url", "image_url": {"url": picture()}}, {"type": "text", "text": QUESTION}]
    assert litellm.completion(messages=[{"role": "user", "content": parts}], **base).choices[0].message
elif FEATURE in ("tools", "stream_tools"):
    streamed = FEATURE == "stream_tools"
    answer = litellm.completion(messages=says, tools=[TOOL], tool_choice="required", stream=streamed, **base)
    answer = litellm.stream_chunk_builder(list(answer), messages=says) if streamed else answer
    (call,) = answer.choices[0].message.tool_calls
    assert json.loads(call.function.arguments)["city"] in ("Rome", "Oslo")
    said = [*says, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    assert litellm.completion(messages=said, tools=[TOOL], **base).choices[0].finish_reason
elif FEATURE == "schema":
    form = {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER, "strict": True}}
    answer = litellm.completion(messages=says, response_format=form, **base)
    assert json.loads(answer.choices[0].message.content)["city"] in ("Rome", "Oslo")
elif FEATURE == "responses":
    route = {"model": "openai/tiny", "api_base": URL, "api_key": "none", "max_output_tokens": 64}
    whole = litellm.responses(input=QUESTION, **route).output[0].content[0].text
    events = litellm.responses(input=QUESTION, stream=True, **route)
    assert whole == "".join(e.delta for e in events if e.type == "response.output_text.delta") != ""
else:
    no_such()
