"""Fields of OpenAI's and vLLM's chat requests that this engine has no use for: taken at values that change nothing.

Any other value would change the answer's meaning or be silently lost, so it is refused, by name and with the reason.
"""

from collections.abc import Callable
from typing import Any, NamedTuple


class UnusedField(NamedTuple):
    """`accepts` tells the values that change nothing, `values` says them; `why` others are refused."""

    accepts: Callable[[Any], bool]
    values: str
    why: str


def _any(why: str, kind: type | tuple[type, ...] = str) -> UnusedField:
    name = {str: "any text", bool: "true or false"}.get(kind, "any object") if isinstance(kind, type) else "any"
    return UnusedField(lambda value: isinstance(value, kind), name, why)


def _one_of(why: str, *values: Any) -> UnusedField:
    shown = ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    return UnusedField(lambda value: any(type(value) is type(v) and value == v for v in values), shown or "null", why)


def _empty(why: str) -> UnusedField:
    return UnusedField(lambda value: value in ([], {}, ""), "empty", why)


_ASIS = "the model writes each answer once, in the one way it has"
UNUSED: dict[str, UnusedField] = {
    "user": _any("it must be text"),
    "metadata": _any("it must be an object", dict),
    "safety_identifier": _any("it must be text"),
    "prompt_cache_key": _any("it must be text; the cache finds equal beginnings by itself"),
    "prompt_cache_retention": _any("it must be text"),
    "prompt_cache_options": _any("it must be an object", dict),
    "prediction": _any("it must be an object; the answer does not depend on it", dict),
    "reasoning_effort": _any("it must be text; the model does not think apart from its answer"),
    "include_reasoning": _any("it must be true or false", bool),
    "request_id": _any("it must be text"),
    "priority": _one_of("requests are served in the order of their coming", 0),
    "cache_salt": _any("it must be text; each key has a cache of its own"),
    "verbosity": _one_of("the model has one verbosity; say in the prompt how long the answer should be", "medium"),
    "service_tier": _one_of("there is one tier of service", "auto", "default"),
    "store": _one_of("answers are not kept here", False),
    "modalities": _one_of("the model writes text only", ["text"]),
    "functions": _empty("send tools instead"),
    "function_call": _one_of("send tool_choice instead", "none", "auto"),
    "audio": _empty("the model writes text only"),
    "moderation": _empty("there is no moderation model here"),
    "web_search_options": UnusedField(lambda _: False, "null", "nothing is searched for here"),
    "best_of": _one_of(_ASIS, 1),
    "use_beam_search": _one_of(_ASIS, False),
    "length_penalty": _one_of(_ASIS, 1, 1.0),
    "echo": _one_of("the prompt is not repeated", False),
    "add_generation_prompt": _one_of("an answer always begins a turn", True),
    "continue_final_message": _one_of("an answer always begins a turn", False),
    "add_special_tokens": _one_of("the chat template writes them", False, True),
    "spaces_between_special_tokens": _any("it must be true or false", bool),
    "include_stop_str_in_output": _one_of("stop strings are no part of an answer", False),
    "bad_words": _empty("use logit_bias with the ids that /tokenize tells"),
    "allowed_token_ids": _empty("use structured_outputs, or logit_bias"),
    "prompt_logprobs": UnusedField(lambda _: False, "null", "only tokens of the answer have log probabilities"),
    "chat_template": UnusedField(lambda _: False, "null", "templates of strangers are not run; the model has its own"),
    "documents": _empty("send document parts in the message"),
    "guided_decoding_backend": _any("it must be text; there is one"),
}


def without_unused(data: dict[str, Any]) -> dict[str, Any]:
    """The fields that do something.

    Raises:
        ValueError: a field of `UNUSED` with a value that asks for something.
    """
    for name, field in UNUSED.items():
        value = data.get(name)
        if value is not None and not field.accepts(value):
            raise ValueError(f"{name} is only taken as {field.values}: {field.why}")
    return {name: value for name, value in data.items() if name not in UNUSED}
