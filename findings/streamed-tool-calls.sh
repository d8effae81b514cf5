#!/usr/bin/env bash
# Question: how do clients put the pieces of a streamed tool call together when a server (a) repeats id, name and role in
#           each delta, (b) streams two calls whole, both with index 0 and ids of their own, (c) counts calls from 1?
# Guess:    (a) id, name and role are taken once, arguments are joined; (b) two calls in all, or an error;
#           (c) one call in all: an index is only a name for the call.
# Versions: openai 3.57.0, litellm 1.110.2, langchain-openai 1.7.4, pydantic-ai-slim 2.68.0.
# Seen:     (a) openai's own helper joins all of them: the id is "call_1call_1call_1", the role "assistantassistantassistant";
#           three of the four call a tool "weatherweatherweather", which does not exist; litellm takes the name once.
#           (b) langchain-openai makes two calls; the others one, with '{"city": "Oslo"}{"city": "Rome"}', which is no JSON, and no
#           error. (c) openai's helper raises IndexError "list index out of range", since its list has no place 1; others take it.
#           So a server that all of them read says id, type, name and role once, at the first delta, and counts from 0.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openai==3.57.0 litellm==1.110.2 langchain-openai==1.7.4 'pydantic-ai-slim[openai]==2.68.0'
sed -n 's/^# //p' "$0" | sed '/^!/d'
"$folder/venv/bin/python" - 2> "$folder/log" <<'PY' || { cat "$folder/log"; exit 1; }
import asyncio
import http.server
import json
import threading

import litellm
import openai
from langchain_openai import ChatOpenAI
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelRequest, UserPromptPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.tools import ToolDefinition

DELTAS = []


class Fixed(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.end_headers()
        for delta in [*DELTAS, None]:
            choice = {"index": 0, "delta": delta or {}, "finish_reason": None if delta else "tool_calls"}
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Fixed)
threading.Thread(target=server.serve_forever, daemon=True).start()
where = {"base_url": f"http://127.0.0.1:{server.server_port}/v1", "api_key": "none"}
schema = {"type": "object", "properties": {"city": {"type": "string"}}}
tools = [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
asks = {"messages": [{"role": "user", "content": "x"}], "tools": tools}


def call(arguments, index=0, name="call_1"):
    function = {"name": "weather", "arguments": arguments}
    return {"role": "assistant", "tool_calls": [{"index": index, "id": name, "type": "function", "function": function}]}


def with_openai():
    with openai.OpenAI(**where, max_retries=0).chat.completions.stream(model="m", **asks) as stream:
        message = stream.get_final_completion().choices[0].message
    return message.role, [(one.id, one.function.name, one.function.arguments) for one in message.tool_calls]


def with_litellm():
    address = {"api_base": where["base_url"], "api_key": "none"}
    message = litellm.stream_chunk_builder(list(litellm.completion("openai/m", stream=True, **asks, **address))).choices[0].message
    return [(one.id, one.function.name, one.function.arguments) for one in message.tool_calls]


def with_langchain():
    total = None
    for chunk in ChatOpenAI(model="m", stream_usage=False, **where).bind_tools(tools).stream("x"):
        total = chunk if total is None else total + chunk
    return [(one["id"], one["name"], json.dumps(one["args"])) for one in total.tool_calls]


def with_pydantic_ai():
    async def work():
        model = OpenAIChatModel("m", provider=OpenAIProvider(**where))
        known = ModelRequestParameters(function_tools=[ToolDefinition(name="weather", parameters_json_schema=schema)])
        asked = [ModelRequest([UserPromptPart("x")])]
        async with model_request_stream(model, asked, model_request_parameters=known) as stream:
            async for _ in stream:
                pass
            return [(one.tool_call_id, one.tool_name, one.args) for one in stream.get().parts]

    return asyncio.run(work())


seen = {}
for case, deltas in (
    ("a", [call('{"city":'), call(' "Oslo"'), call("}")]),
    ("b", [call('{"city": "Oslo"}'), call('{"city": "Rome"}', name="call_2")]),
    ("c", [call('{"city": "Oslo"}', index=1)]),
):
    DELTAS[:] = deltas
    for client in (with_openai, with_litellm, with_langchain, with_pydantic_ai):
        try:
            seen[case, client.__name__[5:]] = client()
        except Exception as error:
            seen[case, client.__name__[5:]] = f"{type(error).__name__}: {error}"
for (case, name), what in seen.items():
    print(f"{case} {name}: {what}")
oslo, thrice, joined = '{"city": "Oslo"}', "weather" * 3, '{"city": "Oslo"}{"city": "Rome"}'
assert seen["a", "openai"] == ("assistant" * 3, [("call_1" * 3, thrice, oslo)]), "behaviour changed"
assert seen["a", "litellm"] == [("call_1", "weather", oslo)], "behaviour changed"
assert seen["a", "langchain"] == seen["a", "pydantic_ai"] == [("call_1", thrice, oslo)], "behaviour changed"
assert seen["b", "langchain"] == [("call_1", "weather", oslo), ("call_2", "weather", '{"city": "Rome"}')], "behaviour changed"
assert seen["b", "openai"][1] == [("call_1call_2", "weather" * 2, joined)], "behaviour changed"
assert seen["b", "litellm"] == [("call_2", "weather", joined)], "behaviour changed"
assert seen["b", "pydantic_ai"] == [("call_2", "weather" * 2, joined)], "behaviour changed"
assert seen["c", "openai"] == "IndexError: list index out of range", "behaviour changed"
assert all(seen["c", name] == [("call_1", "weather", oslo)] for name in ("litellm", "langchain", "pydantic_ai")), "behaviour changed"
PY
