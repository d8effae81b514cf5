"""A checkpoint's own chat template: the default system prompt it writes, if the rest is as here.

`chat_template.py` writes all prompts. A template that is the official text, but for its default system prompt, or that
gives the same prompts for a set of conversations, is honored by that prompt; any other is refused.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from viewfinder.config_file import read_json
from viewfinder.errors import CheckpointError
from viewfinder.message_parsing import parse_messages
from viewfinder.processor.chat_template import DEFAULT_SYSTEM, render
from viewfinder.processor.official_template import BEFORE_DEFAULT, BEHIND_DEFAULT, official_template

_IMAGE, _VIDEO, _TEXT = {"type": "image", "image": "a"}, {"type": "video", "video": "a"}, {"type": "text", "text": "T"}
_USER, _SYSTEM = {"role": "user", "content": " A \n"}, {"role": "system", "content": "S"}
_ANSWER = {"role": "assistant", "content": "<think>\nb\n</think>\n\nB "}
_PROBES: tuple[list[dict[str, Any]], ...] = (
    [_USER],
    [_SYSTEM, _USER],
    [_USER, _ANSWER, _USER],
    [_SYSTEM, _USER, _ANSWER, _USER, _ANSWER],
    [{"role": "user", "content": [_IMAGE, _TEXT]}],
    [{"role": "user", "content": [_VIDEO, _TEXT, _IMAGE, _IMAGE]}],
    [_SYSTEM, {"role": "user", "content": [_TEXT, _IMAGE]}, _ANSWER, {"role": "user", "content": [_VIDEO, _TEXT]}],
)
_NUM_TEXT = 4
_TURN = "<|im_start|>user\n A \n<|im_end|>\n"
_SYSTEM_TURN = re.compile(r"<\|im_start\|>system\n(.*)<\|im_end\|>\n", re.DOTALL)
_TRAINING_TAG = re.compile(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})")
_REMEDY = "remove the template from that file to use the official one, or use the engine it was written for"


def read_default_system(directory: Path) -> str | None:
    """The system prompt of conversations that bring none; None where such ones have no system turn.

    The template is looked for where transformers looks: `chat_template` in `processor_config.json`,
    `chat_template.json`, `chat_template.jinja`, then `tokenizer_config.json`.

    Raises:
        CheckpointError: a template that writes prompts of another form, or two files that do not agree.
    """
    found = {name: text for name in ("processor_config.json", "chat_template.json") if (text := _text(directory, name))}
    if (directory / "chat_template.jinja").is_file():
        found["chat_template.jinja"] = _read_text(directory / "chat_template.jinja")
    if not found and (text := _text(directory, "tokenizer_config.json")):
        found["tokenizer_config.json"] = text
    prompts = {name: _default_system(text, directory / name) for name, text in found.items()}
    if len(set(prompts.values())) > 1:
        raise CheckpointError(
            f"{directory} has chat templates with different default system prompts ({prompts}), and releases of "
            "transformers do not agree which counts; remove the one that the model was not trained with"
        )
    return next(iter(prompts.values()), DEFAULT_SYSTEM)


def _text(directory: Path, name: str) -> str | None:
    if not (directory / name).is_file():
        return None
    found = read_json(directory / name).get("chat_template")
    if isinstance(found, list) and all(isinstance(item, dict) for item in found):
        found = {item.get("name"): item.get("template") for item in found}
    if isinstance(found, dict):
        found = found.get("default")
    if found is not None and not isinstance(found, str):
        raise CheckpointError(f"{directory / name} has chat_template {found!r}, expected text; {_REMEDY}")
    return found


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not readable text ({error}); fetch it again") from error


def _default_system(text: str, path: Path) -> str | None:
    plain = text.replace("\r\n", "\n").strip()
    if plain == official_template(None).strip():
        return None
    middle = plain.removeprefix(BEFORE_DEFAULT).removesuffix(BEHIND_DEFAULT.strip())
    if official_template(middle).strip() == plain and "{" not in middle:
        return middle
    return _probed(_compiled(text, path), path)


def _compiled(text: str, path: Path) -> Callable[..., str]:
    """The template as transformers compiles it, without access to anything of this process."""
    from jinja2.exceptions import SecurityError, TemplateError  # needed only here
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(("*", "**"))

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            raise SecurityError("products are not computed, since they can take any amount of memory")

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    environment = Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.globals["raise_exception"] = raise_exception
    marked = _TRAINING_TAG.sub(lambda m: m[1] + ("endif" if m[2] else "if true") + m[3], text)
    try:
        return environment.from_string(marked).render
    except TemplateError as error:
        raise CheckpointError(f"{path} holds a chat template that is not readable ({error}); {_REMEDY}") from error


def _probed(compiled: Callable[..., str], path: Path) -> str | None:
    """The default system prompt, after every probe came out as it does here with that prompt."""
    first = _render(compiled, _PROBES[0], path)
    prefix = first.removesuffix(_TURN)
    match = _SYSTEM_TURN.fullmatch(prefix)
    system = match[1] if match else None
    for probe in _PROBES if _takes_parts(compiled, path) else _PROBES[:_NUM_TEXT]:
        for is_open in (False, True):
            expected = render(parse_messages(probe), add_generation_prompt=is_open, default_system=system).text
            found = _render(compiled, probe, path, add_generation_prompt=is_open)
            if found != expected:
                raise CheckpointError(
                    f"{path} holds a chat template of another form: it writes {found!r} where {expected!r} would be "
                    f"written here; {_REMEDY}"
                )
    return system


def _takes_parts(compiled: Callable[..., str], path: Path) -> bool:
    """False for a tokenizer's template that is made for text alone, as that of the Qwen2.5 language models."""
    try:
        _render(compiled, _PROBES[-1], path)
    except CheckpointError:
        return path.name != "tokenizer_config.json"
    return True


def _render(compiled: Callable[..., str], messages: list[dict[str, Any]], path: Path, **options: bool) -> str:
    known = {"add_generation_prompt": False, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    try:
        return compiled(messages=messages, **known | options)
    except Exception as error:  # a template can raise anything
        raise CheckpointError(
            f"{path} holds a chat template that cannot be followed here ({type(error).__name__}: {error}); {_REMEDY}"
        ) from error
