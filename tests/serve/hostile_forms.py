"""Hostile requests to the endpoints in other forms: responses, messages, completions, tokens, and paths that are not.

Part of `tests.serve.hostile`; the same harms in each form's own words, since each reads its body in its own way.
"""

# ruff: noqa: E501 - tables of cases, which read best side by side

import random
from collections.abc import Iterator
from typing import Any

Request = tuple[str, str, Any]

RESPONSES, MESSAGES, COMPLETIONS = "/v1/responses", "/v1/messages", "/v1/completions"
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
    """Over 200 requests. `picture` and `broken` are `data:` URIs of a sound picture and of one cut in the middle."""
    for generator in (responses(picture, broken), messages(picture, broken), texts(), paths()):
        yield from generator
    yield from mutated(chance)


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
    yield "tokenize both", "/tokenize", {"prompt": "x", "messages": [{"role": "user", "content": "x"}]}
    private = [{"type": "image_url", "image_url": {"url": PRIVATE[0]}}]
    yield "tokenize fetches", "/tokenize", {"messages": [{"role": "user", "content": private}]}


def paths() -> Iterator[Request]:
    for path in (
        "/v1/responses/resp_1", "/v1/messages/x", "/v1/messages/batches", "/v1/embeddings", "/v1//responses", "/v1/responses/", "/v1/%2e%2e/docs",
        "/" + "a" * 5000, "/v1/completions%00", "/%ff%fe", "/..%2f..%2fetc/passwd", "/docs/../..", "/v1/models/../x", "/<script>", "/static/../app.py",
    ):  # fmt: skip
        yield f"path {path[:30]}", path, {}


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
