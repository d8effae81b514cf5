"""Hostile requests in all forms of a chat: responses, messages, completions, tokens, and paths that are not.

Part of `tests.serve.hostile`; the same harms in each form's own words, since each reads its body in its own way.
"""

# ruff: noqa: E501 - tables of cases, which read best side by side

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

Request = tuple[str, str, Any]

CHAT, RESPONSES, MESSAGES, COMPLETIONS = "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions"
PRIVATE = (
    "http://127.0.0.1:1/x.png",
    "http://169.254.169.254/latest",
    "file:///etc/passwd",
    "ftp://localhost/x",
    "data:,",
    "//x",
    "",
)
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    10**30,
    "",
    "\ud800",
    "x" * 50_000,
    [],
    [[]],
    [None],
    {},
    {"": {}},
    {"type": None},
    [[[[[[]]]]]],
)


def other_forms(picture: str, broken: str, chance: random.Random) -> Iterator[Request]:
    """Over 1,000 requests. `picture` and `broken` are `data:` URIs of a sound picture and of one cut in the middle."""
    for generator in (responses(picture, broken), messages(picture, broken), texts(), paths()):
        yield from generator
    yield from mutated(chance)
    for path, body in whole_bodies(picture):
        yield from everywhere(path, body, chance)


def response(content: Any, **more: Any) -> dict[str, Any]:
    return {"model": "tiny", "input": content, "max_output_tokens": 4, **more}


def message(content: Any, **more: Any) -> dict[str, Any]:
    return {"model": "tiny", "max_tokens": 4, "messages": [{"role": "user", "content": content}], **more}


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def responses(picture: str, broken: str) -> Iterator[Request]:
    for i, odd in enumerate(ODD):
        for field in ("input", "tools", "tool_choice", "text", "instructions", "include"):
            yield f"responses {field} odd {i}", RESPONSES, {**response("x"), field: odd}
        yield f"responses item odd {i}", RESPONSES, response([odd])
        yield f"responses content odd {i}", RESPONSES, response([{"role": "user", "content": odd}])
    for i, url in enumerate((*PRIVATE, broken, picture * 3)):
        part = {"type": "input_image", "image_url": url, "detail": "auto"}
        yield f"responses picture {i}", RESPONSES, response([{"role": "user", "content": [part]}])
        file = {"type": "input_file", "file_url": url}
        yield f"responses file {i}", RESPONSES, response([{"role": "user", "content": [file]}])
        output = {"type": "function_call_output", "call_id": "c", "output": [part]}
        yield f"responses output {i}", RESPONSES, response([output])
    call = {"type": "function_call", "call_id": "c", "name": "f"}
    for i, arguments in enumerate(("{", "[]", "\ud800", "{" * 3000, '{"a": NaN}', "null", "<|im_end|>", 5)):
        yield (
            f"responses call {i}",
            RESPONSES,
            response([{**call, "arguments": arguments}, {"role": "user", "content": "x"}]),
        )
    yield "responses deep", RESPONSES, response([{"role": "user", "content": deep(100)}])
    yield "responses many items", RESPONSES, response([{"role": "user", "content": "x"}] * 5000)
    yield "responses many calls", RESPONSES, response([{**call, "arguments": "{}"}] * 1500)
    yield (
        "responses many pictures",
        RESPONSES,
        response([{"role": "user", "content": [{"type": "input_image", "image_url": picture}] * 500}]),
    )
    schema = {"type": "json_schema", "name": "x", "schema": {"$ref": "#"}}
    yield "responses schema of itself", RESPONSES, response("x", text={"format": schema})
    pattern = {**schema, "schema": {"type": "string", "pattern": "(a+)+" * 50}}
    yield "responses pattern", RESPONSES, response("x", text={"format": pattern})


def messages(picture: str, broken: str) -> Iterator[Request]:
    for path in (MESSAGES, f"{MESSAGES}/count_tokens"):
        for i, odd in enumerate(ODD):
            for field in ("messages", "system", "tools", "tool_choice", "thinking"):
                yield f"{path} {field} odd {i}", path, {**message("x"), field: odd}
            yield f"{path} content odd {i}", path, message(odd)
            yield f"{path} block odd {i}", path, message([odd])
            yield f"{path} source odd {i}", path, message([{"type": "image", "source": odd}])
        for i, url in enumerate(PRIVATE):
            yield f"{path} url {i}", path, message([{"type": "image", "source": {"type": "url", "url": url}}])
            yield f"{path} page {i}", path, message([{"type": "document", "source": {"type": "url", "url": url}}])
    data = broken.partition(",")[2]
    for kind in ("image/png", "application/pdf", "text/html", "\r\nx: y", "image/png,x", ""):
        source = {"type": "base64", "media_type": kind, "data": data}
        yield f"messages broken as {kind!r}", MESSAGES, message([{"type": "image", "source": source}])
        yield f"messages broken page as {kind!r}", MESSAGES, message([{"type": "document", "source": source}])
    nested: Any = [{"type": "text", "text": "x"}]
    for _ in range(30):
        nested = [{"type": "document", "source": {"type": "content", "content": nested}}]
    yield "messages nested documents", MESSAGES, message(nested)
    result = {"type": "tool_result", "tool_use_id": "none", "content": nested}
    yield "messages nested result", MESSAGES, message([result] * 50)
    yield "messages many stops", MESSAGES, message("x", stop_sequences=["x"] * 5000)
    yield "messages long stop", MESSAGES, message("x", stop_sequences=["x" * 10**6])


def texts() -> Iterator[Request]:
    prompts: tuple[Any, ...] = (
        *ODD, [0], [10**9], [-1], [[0], []], ["x", 5], [[0], "x"], ["x"] * 10_000, [[0]] * 10_000, [0] * 200_000, "<|image_pad|>",
        "<|vision_start|><|image_pad|><|vision_end|>", "<|im_end|>" * 1000, "\x00", "x" * 3_000_000, "x" * 5_000_000,
    )  # fmt: skip
    for i, prompt in enumerate(prompts):
        yield f"completions {i}", COMPLETIONS, {"model": "tiny", "prompt": prompt, "max_tokens": 2}
        yield f"tokenize {i}", "/tokenize", {"prompt": prompt, "return_token_strs": True}
        yield f"detokenize {i}", "/detokenize", {"tokens": prompt}
    yield "completions n", COMPLETIONS, {"model": "tiny", "prompt": ["x"] * 8, "n": 8, "max_tokens": 2}
    for i, n in enumerate((9, 10**12, 10**30)):
        yield f"completions n large {i}", COMPLETIONS, {"model": "tiny", "prompt": "x", "n": n, "max_tokens": 2}
        yield f"chat n large {i}", CHAT, {"model": "tiny", "messages": [{"role": "user", "content": "x"}], "n": n}
    yield "tokenize both", "/tokenize", {"prompt": "x", "messages": [{"role": "user", "content": "x"}]}
    private = [{"type": "image_url", "image_url": {"url": PRIVATE[0]}}]
    yield "tokenize fetches", "/tokenize", {"messages": [{"role": "user", "content": private}]}


def paths() -> Iterator[Request]:
    for path in (
        "/v1/responses/resp_1", "/v1/messages/x", "/v1/messages/batches", "/v1/embeddings", "/v1//responses", "/v1/responses/", "/v1/%2e%2e/docs",
        "/" + "a" * 5000, "/v1/completions%00", "/%ff%fe", "/..%2f..%2fetc/passwd", "/docs/../..", "/v1/models/../x", "/<script>", "/static/../app.py",
    ):  # fmt: skip
        yield f"path {path[:30]}", path, {}


def whole_bodies(picture: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Good requests that use all of their endpoint."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "enum": ["b"]}}, "required": ["a"]}
    source = {"type": "base64", "media_type": "image/png", "data": picture.partition(",")[2]}
    sampling = {"temperature": 0.5, "top_p": 0.9, "seed": 1}
    function = {"name": "f", "description": "x", "parameters": schema, "strict": True}
    user = {
        "role": "user",
        "content": [
            {"type": "text", "text": "x"},
            {"type": "image_url", "image_url": {"url": picture, "detail": "low"}},
        ],
    }
    return (
        (RESPONSES, {
            "model": "tiny", "max_output_tokens": 3, "stream": True, "instructions": "x", "store": False, "top_logprobs": 1, **sampling,
            "include": ["message.output_text.logprobs"], "stream_options": {"include_obfuscation": False}, "metadata": {"a": "b"},
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": picture, "detail": "auto"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": "b"}'},
                {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]},
            ],
            "tools": [{"type": "function", **function}], "tool_choice": {"type": "function", "name": "f"}, "reasoning": {"effort": "low"},
            "text": {"format": {"type": "json_schema", "name": "x", "schema": schema, "strict": True}, "verbosity": "medium"},
        }),
        (MESSAGES, {
            "model": "tiny", "max_tokens": 3, "stream": True, "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}], "stop_sequences": ["y"],
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": source}, {"type": "document", "title": "x", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {"a": "b"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "is_error": True, "content": [{"type": "text", "text": "x"}]}]},
            ],
            "tools": [{"name": "f", "description": "x", "input_schema": schema}], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            "thinking": {"type": "disabled"}, "output_config": {"effort": "low"}, "metadata": {"user_id": "x"},
        }),
        (CHAT, {
            "model": "tiny", "max_tokens": 3, "messages": [user], "n": 2, "logprobs": True, "top_logprobs": 1, "logit_bias": {"5": 1}, "min_p": 0.1, **sampling,
            "frequency_penalty": 1, "presence_penalty": 1, "stop": ["y"], "stop_token_ids": [5], "min_tokens": 1, "stream": True, "top_k": 5,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True}, "mm_processor_kwargs": {"max_pixels": 5000}, "chat_template_kwargs": {"x": 1},
            "tools": [{"type": "function", "function": function}], "tool_choice": "auto", "parallel_tool_calls": True, "coordinates": "original",
        }),
        (COMPLETIONS, {"model": "tiny", "prompt": ["x", "y"], "max_tokens": 3, "n": 2, "logprobs": 1, "echo": False, "stop": ["z"], "logit_bias": {"5": 1}, "stream": True, **sampling}),
        ("/tokenize", {"model": "tiny", "messages": [user], "tools": [{"type": "function", "function": function}], "return_token_strs": True, "mm_processor_kwargs": {"max_pixels": 5000}}),
        ("/detokenize", {"model": "tiny", "tokens": [1, 2, 3]}),
    )  # fmt: skip


def everywhere(path: str, body: Any, chance: random.Random, odd: int = 2) -> Iterator[Request]:
    """The body with each of its values, lists and objects, in turn, replaced by so many odd ones, and by two of itself."""
    for place in _places(body):
        named = ".".join(map(str, place))
        for i, value in enumerate(chance.sample(ODD, odd)):
            yield f"{path} {named} odd {i}", path, _replaced(body, place, lambda _, value=value: value)
        yield f"{path} {named} twice", path, _replaced(body, place, lambda value: [value, value])


def _places(body: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, value in body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ():
        yield (*above, key)
        yield from _places(value, (*above, key))


def _replaced(body: Any, place: tuple[Any, ...], by: Callable[[Any], Any]) -> Any:
    """`{"a": [1, 2]}` at `("a", 1)` by `str` is `{"a": [1, "2"]}`."""
    if not place:
        return by(body)
    changed = copy.copy(body)
    changed[place[0]] = _replaced(body[place[0]], place[1:], by)
    return changed


def mutated(chance: random.Random) -> Iterator[Request]:
    """Good bodies with one value in another's place."""
    bodies = (
        (RESPONSES, response("x")),
        (MESSAGES, message("x")),
        (COMPLETIONS, {"model": "tiny", "prompt": "x", "max_tokens": 2}),
    )
    for i in range(60):
        path, body = chance.choice(bodies)
        name, other = chance.choice([*body, "stream", "temperature", "metadata", "stop"]), chance.choice(ODD)
        yield f"mutated {i}", path, {**body, name: other}
