"""A model behind a server as a `Viewfinder`, and whether what serving needs is installed."""

import os
from typing import Any

from viewfinder.errors import ViewfinderError


def open_server(url: str, name: str, **settings: Any) -> Any:
    """A `Viewfinder` over a server; `name` is the model's there, unless it is the built-in default."""
    need_serving()
    from viewfinder.chat import Viewfinder
    from viewfinder.serve.client import OpenAIChat

    key = os.environ.get("VIEWFINDER_API_KEY") or os.environ.get("OPENAI_API_KEY")
    chat = OpenAIChat(url, None if name == "tiny" else name, api_key=key)
    processor = chat.processor
    if settings:
        from viewfinder.processor.processor import Processor

        processor = Processor(processor.tokenizer, processor.settings.with_(**settings))
        chat = OpenAIChat(url, None if name == "tiny" else name, api_key=key, processor=processor)
    return Viewfinder(chat, processor)


def need_serving() -> None:
    try:
        import fastapi  # noqa: F401
        import httpx  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name} is not installed, which serving needs; install it with: pip install 'viewfinder[serve]'"
        ) from error


class MissingExtraError(ViewfinderError):
    """Something optional is not installed."""
