"""The chat template of the official checkpoints, word for word, for directories that other engines read.

This package writes its prompts with `chat_template.py`; a test holds the two together.
"""

import json

from viewfinder.processor.chat_template import DEFAULT_SYSTEM

_HEAD = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
)
_DEFAULT = "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
_END_DEFAULT = "<|im_end|>\n{% endif %}"
_TAIL = (
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n"
    "{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}"
    "{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}"
    "{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% endif %}"
)

BEFORE_DEFAULT, BEHIND_DEFAULT = _HEAD + _DEFAULT, _END_DEFAULT + _TAIL


def official_template(default_system: str | None = DEFAULT_SYSTEM) -> str:
    """The template with this default system prompt, or without one."""
    if default_system is None:
        return _HEAD + _TAIL
    shown = "{{ " + json.dumps(default_system, ensure_ascii=False) + " }}" if "{" in default_system else default_system
    return BEFORE_DEFAULT + shown + BEHIND_DEFAULT


OFFICIAL_TEMPLATE = official_template()
