#!/usr/bin/env bash
# Question: four clients are pointed at one local server by base_url, with temperature and system prompt set. Does what they send
#           depend on the name that the served model has (`tiny`, `solo1-vl`, `o3-local`, `gpt-5-mini-local`)?
# Guess:    no: the address is not OpenAI's, so the bodies differ in `model` only.
# Versions: browser-use 0.13.14, langchain-openai 1.7.4, litellm 1.110.2, pydantic-ai-slim 2.68.0.
# Seen:     each client decides by its own look at the name, at any address. browser-use looks for a piece of it: `solo1-vl` has "o1" in
#           it, so temperature and frequency penalty are left out without a word and reasoning_effort is sent. pydantic-ai leaves the
#           temperature out of `o3-local` and `gpt-5-mini-local` (with a warning); langchain-openai renames the system message to
#           "developer" for `o3-local` and keeps the temperature, which it drops for `gpt-5-mini-local`; litellm sends `o3-local` as it is, and refuses to send `gpt-5-mini-local` at all.
#           So a run that is greedy under one name samples under another: serve a model under a name without o1, o3, o4-mini, gpt-5.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q langchain-openai==1.7.4 litellm==1.110.2 'pydantic-ai-slim[openai]==2.68.0'
"$folder/venv/bin/pip" install -q --no-deps browser-use==0.13.14  # of which its own client of OpenAI's form is used
sed -n 's/^# //p' "$0" | sed '/^!/d'
"$folder/venv/bin/python" - 2> "$folder/log" <<'PY' || { cat "$folder/log"; exit 1; }
import asyncio
import http.server
import json
import sys
import threading
import types
from pathlib import Path

import litellm
from langchain_openai import ChatOpenAI
from pydantic_ai.direct import model_request_sync
from pydantic_ai.messages import ModelRequest, SystemPromptPart, UserPromptPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

site = next(Path(path) for path in sys.path if path.endswith("site-packages"))
for name in ("browser_use", "browser_use.llm"):  # without what the package loads beside it
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(site / name.replace(".", "/"))]
from browser_use.llm.messages import SystemMessage, UserMessage
from browser_use.llm.openai.chat import ChatOpenAI as BrowserUse

BODIES = []


class Fixed(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        BODIES.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Fixed)
threading.Thread(target=server.serve_forever, daemon=True).start()
where = {"base_url": f"http://127.0.0.1:{server.server_port}/v1", "api_key": "none"}


def browser_use(name):
    asyncio.run(BrowserUse(model=name, temperature=0.2, **where).ainvoke([SystemMessage(content="s"), UserMessage(content="u")]))


def langchain(name):
    ChatOpenAI(model=name, temperature=0.2, **where).invoke([("system", "s"), ("human", "u")])


def by_litellm(name):
    says = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    litellm.completion(f"openai/{name}", messages=says, temperature=0.2, api_base=where["base_url"], api_key="none")


def pydantic_ai(name):
    asked = [ModelRequest([SystemPromptPart("s"), UserPromptPart("u")])]
    model_request_sync(OpenAIChatModel(name, provider=OpenAIProvider(**where)), asked, model_settings={"temperature": 0.2})


seen = {}
for client in (browser_use, langchain, by_litellm, pydantic_ai):
    for name in ("tiny", "solo1-vl", "o3-local", "gpt-5-mini-local"):
        try:
            client(name)
            body = BODIES[-1]
            what = (body["messages"][0]["role"], body.get("temperature"), body.get("reasoning_effort"))
        except Exception as error:
            what = type(error).__name__
        seen[client.__name__, name] = what
        print(f"{client.__name__} {name}: first role, temperature, reasoning_effort = {what}")
plain, dropped, thinking = ("system", 0.2, None), ("system", None, None), ("system", None, "low")
rows = {client: [what for (who, _), what in seen.items() if who == client] for client, _ in seen}
assert rows["browser_use"] == [plain, thinking, thinking, thinking], "behaviour changed"
assert rows["langchain"] == [plain, plain, ("developer", 0.2, None), dropped], "behaviour changed"
assert rows["by_litellm"] == [plain, plain, plain, "UnsupportedParamsError"], "behaviour changed"
assert rows["pydantic_ai"] == [plain, plain, dropped, dropped], "behaviour changed"
PY
