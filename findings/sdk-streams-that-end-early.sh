#!/usr/bin/env bash
# Question: what do the official OpenAI and Anthropic clients make of a streamed answer that does not reach its normal end:
#           (a) cut at the token budget, (b) cut by a closed connection, (c) ended by an error event as OpenAI types it?
# Guess:    (a) the helper returns the response with status "incomplete"; (b) an error in both clients; (c) an exception.
# Versions: openai 3.57.0, anthropic 2.14.0.
# Seen:     (a) openai's responses.stream(...).get_final_response() raises RuntimeError "Didn't receive a
#           `response.completed` event", though `response.incomplete` came with the whole response: read that event instead.
#           (b) looping over create(stream=True) simply ends in both; Anthropic's get_final_message() returns the half
#           text with stop_reason None. Whoever needs to know must look for the last event or the stop reason.
#           (c) the event as ResponseErrorEvent declares it (flat: code, message, param) is handed on like any other and
#           the loop goes on; only one with an "error" object inside, which the type does not have, raises APIError.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openai==3.57.0 anthropic==2.14.0
sed -n 's/^# //p' "$0" | sed '/^!/d'
"$folder/venv/bin/python" - <<'PY'
import http.server
import json
import threading

import anthropic
import openai

EVENTS = ""


class Fixed(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(EVENTS.encode())

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Fixed)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
ours = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
theirs = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)


def say(*events):
    global EVENTS
    EVENTS = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
item = {"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
response = {"id": "r", "object": "response", "created_at": 1, "status": "in_progress", "model": "m", "output": [],
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
at = {"output_index": 0, "content_index": 0, "item_id": "i"}
begun = [
    {"type": "response.created", "sequence_number": 0, "response": response},
    {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item},
    {"type": "response.content_part.added", "sequence_number": 2, "part": part, **at},
    {"type": "response.output_text.delta", "sequence_number": 3, "delta": "half", "logprobs": [], **at},
]
full = {**item, "status": "incomplete", "content": [{**part, "text": "half"}]}
end = {**response, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [full]}

say(*begun, {"type": "response.incomplete", "sequence_number": 4, "response": end})
with ours.responses.stream(model="m", input="x") as stream:
    try:
        budget = stream.get_final_response().status
    except RuntimeError as error:
        budget = f"RuntimeError: {error}"

say(*begun)
closed = [event.type for event in ours.responses.create(model="m", input="x", stream=True)][-1]

flat = {"type": "error", "sequence_number": 4, "code": "server_error", "message": "bad", "param": None}
say(*begun, flat)
typed = [event.type for event in ours.responses.create(model="m", input="x", stream=True)][-1]
say(*begun, {"type": "error", "error": {"message": "bad"}})
try:
    nested = [event.type for event in ours.responses.create(model="m", input="x", stream=True)][-1]
except openai.APIError as error:
    nested = f"APIError: {error.message}"

message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
           "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 0}}
say(
    {"type": "message_start", "message": message},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}},
)
with theirs.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as stream:
    last = stream.get_final_message()
half = (last.content[0].text, last.stop_reason)

for name, seen in (("a budget", budget), ("b openai closed, last event", closed), ("b anthropic closed", half),
                   ("c flat error, last event", typed), ("c nested error", nested)):
    print(f"{name}: {seen}")
assert budget.startswith("RuntimeError") and "response.completed" in budget, "behaviour changed"
assert closed == "response.output_text.delta" and half == ("half", None), "behaviour changed"
assert typed == "error" and nested == "APIError: bad", "behaviour changed"
PY
