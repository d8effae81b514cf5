"""Questions as the official client asks them."""

from typing import Any

import openai


def ask(client: openai.OpenAI, content: Any = "hello", **options: Any) -> Any:
    options.setdefault("max_tokens", 12)
    options.setdefault("temperature", 0)
    return client.chat.completions.create(model="small", messages=[{"role": "user", "content": content}], **options)


def with_picture(uri: str, **options: Any) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": uri}, **options}, {"type": "text", "text": "What is it?"}]
