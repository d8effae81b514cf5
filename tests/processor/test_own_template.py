"""A checkpoint's own chat template: the official text in any wrapping, another default prompt, another form."""

import json
from pathlib import Path

import jinja2
import pytest

from tests.doubles import small_processor
from viewfinder.errors import CheckpointError
from viewfinder.processor.official_template import OFFICIAL_TEMPLATE
from viewfinder.processor.processor import Processor

USER = [{"role": "user", "content": "Hello"}]
PIRATE = "You are a pirate."
OTHER = OFFICIAL_TEMPLATE.replace("You are a helpful assistant.", PIRATE)
BARE = OFFICIAL_TEMPLATE.replace(
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant."
    "<|im_end|>\n{% endif %}",
    "",
)
# Written anew: the same prompts by other means, with a prompt of its own.
REWRITTEN = """\
{%- if messages[0].role != 'system' %}{{ '<|im_start|>system\\nThink first.<|im_end|>\\n' }}{% endif %}
{%- for m in messages %}
    {{- '<|im_start|>' + m.role + '\\n' }}
    {%- if m.content is string %}{{ m.content }}{% else %}
        {%- for part in m.content %}
            {%- if part.type == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}
            {%- elif part.type == 'video' %}{{ '<|vision_start|><|video_pad|><|vision_end|>' }}
            {%- else %}{{ part.text }}{% endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    small_processor().save_pretrained(tmp_path)
    set_template(tmp_path, None)
    return tmp_path


def set_template(directory: Path, template: object, name: str = "tokenizer_config.json") -> None:
    """Put a template into one file and out of all others."""
    config = json.loads((directory / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (directory / "chat_template.json").unlink(missing_ok=True)
    if name == "tokenizer_config.json":
        config |= {} if template is None else {"chat_template": template}
    elif name.endswith(".jinja"):
        (directory / name).write_text(str(template))
    else:
        (directory / name).write_text(json.dumps({"chat_template": template}))
    (directory / "tokenizer_config.json").write_text(json.dumps(config))


def prompt(directory: Path) -> str:
    processor = Processor.from_pretrained(directory)
    return processor.tokenizer.decode(processor(USER).input_ids.tolist(), skip_special=False)


FILES = ["chat_template.jinja", "tokenizer_config.json", "chat_template.json", "processor_config.json"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", [OFFICIAL_TEMPLATE, OFFICIAL_TEMPLATE.replace("\n", "\r\n") + "\n\n"])
def test_the_official_text_leaves_the_stamp(directory: Path, name: str, text: str) -> None:
    expected = small_processor().stamp
    assert Processor.from_pretrained(directory).stamp == expected  # without any template
    set_template(directory, text, name)
    assert Processor.from_pretrained(directory).stamp == expected


@pytest.mark.parametrize("name", FILES)
def test_another_default_prompt_is_written_and_stamped(directory: Path, name: str) -> None:
    set_template(directory, OTHER, name)
    assert prompt(directory) == (
        f"<|im_start|>system\n{PIRATE}<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    )
    found = Processor.from_pretrained(directory).stamp
    assert found != small_processor().stamp
    assert found.differences(small_processor().stamp) == {"default_system": (PIRATE, None)}


def test_named_templates_of_a_tokenizer(directory: Path) -> None:
    set_template(directory, [{"name": "tool_use", "template": "x"}, {"name": "default", "template": OTHER}])
    assert PIRATE in prompt(directory)


def test_no_default_prompt_at_all(directory: Path) -> None:
    set_template(directory, BARE, "chat_template.jinja")
    assert prompt(directory) == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    processor = Processor.from_pretrained(directory)
    assert processor.stamp != small_processor().stamp
    tools = [{"name": "f", "parameters": {}}]
    text = processor.tokenizer.decode(processor(USER, tools=tools).input_ids.tolist(), skip_special=False)
    assert text.startswith("<|im_start|>system\n# Tools\n")


@pytest.mark.parametrize("name", ["chat_template.jinja", "processor_config.json"])
def test_the_same_prompts_by_another_text(directory: Path, name: str) -> None:
    set_template(directory, REWRITTEN, name)
    assert prompt(directory).startswith("<|im_start|>system\nThink first.<|im_end|>\n<|im_start|>user\nHello")


def test_tags_that_mark_what_is_trained(directory: Path) -> None:
    text = REWRITTEN.replace(
        "{%- if m.content is string", "{%- generation %}{% endgeneration -%}{%- if m.content is string"
    )
    set_template(directory, text, "chat_template.jinja")
    assert "Think first." in prompt(directory)


def test_a_text_template_of_a_language_model(directory: Path) -> None:
    text = (
        "{%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\\nYou are Q.<|im_end|>\\n' }}{%- endif %}"
        "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
    )
    set_template(directory, text)
    assert prompt(directory).startswith("<|im_start|>system\nYou are Q.<|im_end|>\n")
    set_template(directory, text, "chat_template.jinja")
    with pytest.raises(CheckpointError, match="cannot be followed here"):
        Processor.from_pretrained(directory)


@pytest.mark.parametrize(
    "text",
    [
        REWRITTEN.replace("{{ m.content }}", "{{ m.content | trim }}"),
        REWRITTEN.replace("{{ m.content }}", "{{ m.content.split('</think>')[-1] }}"),
        REWRITTEN.replace("<|im_end|>", "<|endoftext|>"),
        REWRITTEN.replace("assistant\\n", "assistant\\n<think>\\n"),
        REWRITTEN.replace("<|vision_start|><|image_pad|><|vision_end|>", "<image>"),
        "{% for m in messages %}[INST]{{ m.content }}[/INST]{% endfor %}",
        "",
    ],
)
def test_another_form_is_refused(directory: Path, text: str) -> None:
    set_template(directory, text, "chat_template.jinja")
    with pytest.raises(CheckpointError, match=r"chat_template\.jinja holds a chat template of another form.*remove"):
        Processor.from_pretrained(directory)


@pytest.mark.parametrize(
    "text",
    [
        "{% if %}",
        "{{ raise_exception('no system') }}",
        "{{ strftime_now('%d') }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{{ messages.append(1) }}",
        "{{ 'a' * 10**12 }}",
    ],
)
def test_what_cannot_be_rendered_or_reaches_outside(directory: Path, text: str) -> None:
    set_template(directory, text, "chat_template.jinja")
    with pytest.raises(CheckpointError, match=r"chat_template\.jinja holds a chat template that"):
        Processor.from_pretrained(directory)


def test_two_files_that_do_not_agree(directory: Path) -> None:
    set_template(directory, OFFICIAL_TEMPLATE, "chat_template.json")
    (directory / "chat_template.jinja").write_text(OTHER)
    with pytest.raises(CheckpointError, match="different default system prompts"):
        Processor.from_pretrained(directory)


@pytest.mark.parametrize("content", [3, [1], {"default": 2}])
def test_a_template_that_is_no_text(directory: Path, content: object) -> None:
    set_template(directory, content)
    with pytest.raises(CheckpointError, match=r"tokenizer_config\.json has chat_template"):
        Processor.from_pretrained(directory)


@pytest.mark.parametrize("system", [PIRATE, None, "", 'Use {{ braces }} and {% "quotes" %}.\nÜ', "a\n"])
def test_saved_and_read_back(tmp_path: Path, system: str | None) -> None:
    processor = Processor(small_processor().tokenizer, None, system)
    processor.save_pretrained(tmp_path)
    again = Processor.from_pretrained(tmp_path)
    assert again.default_system == system
    assert again.stamp == processor.stamp
    saved = json.loads((tmp_path / "chat_template.json").read_text())["chat_template"]
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(saved).render(messages=USER, add_generation_prompt=True)
    assert text == prompt(tmp_path)
