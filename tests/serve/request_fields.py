"""Every field of OpenAI's responses and Anthropic's messages: done, taken at neutral values, or refused by name.

Each is shown by bodies that are taken and refused. `python -m tests.serve.request_fields` writes the table into
`docs/serving.md`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from viewfinder.serve.anthropic_messages import MessagesRequest
from viewfinder.serve.neutral import OwnFields
from viewfinder.serve.responses import ResponsesRequest

DOCS = Path(__file__).parents[2] / "docs" / "serving.md"
BEGIN, END = "<!-- request fields: made by tests.serve.request_fields -->", "<!-- end of request fields -->"
DONE, NEUTRAL, REFUSED, HEADER = "done", "neutral", "refused", "header"


@dataclass(frozen=True)
class Shown:
    """One field: what becomes of it, values that are taken, values that are refused, and words for the table."""

    how: str
    good: tuple[Any, ...] = ()
    bad: tuple[Any, ...] = ()
    note: str = ""


FUNCTION = {"type": "function", "name": "f", "parameters": {}, "strict": None}
RESPONSES: dict[str, Shown] = {
    "access_programs": Shown(REFUSED, bad=({"cyber": "standard"},)),
    "background": Shown(NEUTRAL, (False,), (True,), "false"),
    "background_options": Shown(REFUSED, bad=({"completion_window": "soonest"},)),
    "context_management": Shown(NEUTRAL, ([],), ([{"type": "compaction"}],), "empty"),
    "conversation": Shown(REFUSED, bad=("conv_1",)),
    "image": Shown(
        NEUTRAL,
        ({"context_compression": "auto"},),
        ({"context_compression": "enabled"},),
        "context_compression auto, disabled",
    ),
    "include": Shown(
        DONE, (["message.output_text.logprobs"],), note="logprobs; of the rest there is nothing to include"
    ),
    "input": Shown(DONE, ("x", [{"role": "user", "content": "x"}]), (5,), "words, pictures, files, calls, results"),
    "instructions": Shown(DONE, ("x",)),
    "max_output_tokens": Shown(DONE, (5,), (0,)),
    "max_tool_calls": Shown(NEUTRAL, (3,), (0,), "any: it counts built-in tools, of which there are none"),
    "metadata": Shown(DONE, ({"a": "b"},), note="given back"),
    "model": Shown(DONE, ("small",)),
    "moderation": Shown(REFUSED, bad=({"model": "omni-moderation-latest"},)),
    "parallel_tool_calls": Shown(DONE, (True, False)),
    "previous_response_id": Shown(REFUSED, bad=("resp_1",)),
    "prompt": Shown(REFUSED, bad=({"id": "pmpt_1"},)),
    "prompt_cache_key": Shown(NEUTRAL, ("k",), note="any: caching changes no answer"),
    "prompt_cache_options": Shown(NEUTRAL, ({"mode": "implicit"},), ({"prewarm": True},), "all but prewarm"),
    "prompt_cache_retention": Shown(NEUTRAL, ("24h",), note="any"),
    "reasoning": Shown(
        NEUTRAL, ({"effort": "low", "summary": "auto"},), ({"mode": "pro"},), "any effort: there is no reasoning"
    ),
    "safety_identifier": Shown(NEUTRAL, ("u",), note="any"),
    "service_tier": Shown(NEUTRAL, ("auto", "default"), ("flex",), "auto, default"),
    "store": Shown(NEUTRAL, (False,), (True,), "false; absent is false too"),
    "stream": Shown(DONE, (True, False)),
    "stream_options": Shown(
        NEUTRAL, ({"include_obfuscation": False},), ({"include_obfuscation": True},), "without obfuscation"
    ),
    "temperature": Shown(DONE, (0.5,), (-1,)),
    "text": Shown(
        DONE,
        ({"format": {"type": "text"}, "verbosity": "medium"}, {"format": {"type": "json_object"}}),
        ({"verbosity": "low"},),
        "format; verbosity medium",
    ),
    "tool_choice": Shown(DONE, ("auto", "none"), ({"type": "web_search_preview"},), "modes, a function, allowed_tools"),
    "tools": Shown(DONE, ([FUNCTION],), ([{"type": "web_search"}],), "functions"),
    "top_logprobs": Shown(DONE, (3,), (21,)),
    "top_p": Shown(DONE, (0.5,), (1.5,)),
    "truncation": Shown(NEUTRAL, ("disabled",), ("auto",), "disabled"),
    "user": Shown(NEUTRAL, ("u",), note="any"),
}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
EPHEMERAL = {"type": "ephemeral"}
MESSAGES: dict[str, Shown] = {
    "cache_control": Shown(NEUTRAL, (EPHEMERAL,), note="any: caching changes no answer"),
    "container": Shown(REFUSED, bad=("c",)),
    "diagnostics": Shown(REFUSED, bad=({"previous_message_id": "m"},)),
    "inference_geo": Shown(REFUSED, bad=("us",)),
    "max_tokens": Shown(DONE, (5,), (0,)),
    "messages": Shown(
        DONE,
        ([{"role": "user", "content": "x"}],),
        ([],),
        "words, pictures, documents, calls, results; the last not the assistant's",
    ),
    "metadata": Shown(NEUTRAL, ({"user_id": "u"},), note="any"),
    "model": Shown(DONE, ("small",)),
    "output_config": Shown(
        DONE,
        ({"effort": "high"}, {"format": {"type": "json_schema", "schema": {"type": "object"}}}),
        ({"format": {"type": "xml"}},),
        "format; any effort: there is no reasoning",
    ),
    "service_tier": Shown(NEUTRAL, ("auto", "standard_only"), ("priority",), "auto, standard_only"),
    "speed": Shown(NEUTRAL, ("standard",), ("fast",), "standard"),
    "stop_sequences": Shown(DONE, (["x"],), ("x",)),
    "stream": Shown(DONE, (True, False)),
    "system": Shown(DONE, ("x", [{"type": "text", "text": "x", "cache_control": EPHEMERAL}]), (5,)),
    "thinking": Shown(
        NEUTRAL,
        ({"type": "disabled"}, {"type": "adaptive"}),
        ({"type": "enabled", "budget_tokens": 1024},),
        "disabled, adaptive: there is no thinking",
    ),
    "tool_choice": Shown(
        DONE, ({"type": "auto", "disable_parallel_tool_use": True}, {"type": "none"}), ({"type": "all"},)
    ),
    "tools": Shown(
        DONE, ([{**TOOL, "cache_control": EPHEMERAL}],), ([{"type": "bash_20250124", "name": "bash"}],), "of the client"
    ),
    "user_profile_id": Shown(HEADER, note="not read"),
    "workspace_id": Shown(HEADER, note="not read"),
}


def responses_fields() -> set[str]:
    """The fields that OpenAI's client sends."""
    from openai.types.responses.response_create_params import ResponseCreateParamsBase

    return {*get_type_hints(ResponseCreateParamsBase), "stream"}


def messages_fields() -> set[str]:
    """The fields that Anthropic's client sends."""
    from anthropic.types.message_create_params import MessageCreateParamsBase

    return {*get_type_hints(MessageCreateParamsBase), "stream"}


def tables() -> Iterator[tuple[str, dict[str, Shown], set[str], type[OwnFields], dict[str, Any]]]:
    """Endpoint, what is shown of its fields, the client's fields, our body, and a least body."""
    yield "/v1/responses", RESPONSES, responses_fields(), ResponsesRequest, {"model": "small", "input": "x"}
    least = {"model": "small", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    yield "/v1/messages", MESSAGES, messages_fields(), MessagesRequest, least


def table() -> str:
    """The lines between the marks of the page."""
    lines: list[str] = []
    for path, shown, _, body, _ in tables():
        by = {how: [name for name, one in shown.items() if one.how == how] for how in (DONE, NEUTRAL, REFUSED, HEADER)}
        extra = [name for name in body.model_fields if name not in shown]
        lines += [f"| `{path}` | |", "|---|---|"]
        for how, said in (
            (DONE, "honored"),
            (NEUTRAL, "taken at values that change nothing, refused at others"),
            (REFUSED, "refused by name"),
            (HEADER, "sent as headers, not read"),
        ):
            names = [f"`{name}`" + (f" ({shown[name].note})" if shown[name].note else "") for name in by[how]]
            if names:
                lines.append(f"| {said} | {', '.join(names)} |")
        lines += [f"| ours besides | {', '.join(f'`{name}`' for name in extra)} |", ""]
    return "\n".join(lines)


def written(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    DOCS.write_text(written(DOCS.read_text()))
