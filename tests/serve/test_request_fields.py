"""No field of the official clients is unknown: each is honored, neutral or refused, as bodies show."""

from typing import get_type_hints

import httpx
import pytest
from fastapi.exceptions import RequestValidationError
from openai.types import chat
from openai.types.chat import completion_create_params
from pydantic import ValidationError

from tests.serve.conftest import Running
from tests.serve.request_fields import DOCS, HEADER, NEUTRAL, REFUSED, Shown, tables, written
from viewfinder.serve.openai_fields import UNUSED
from viewfinder.serve.protocol import ChatMessage, ChatRequest, StreamOptions, Tool

TABLES = {path: (shown, fields, body, least) for path, shown, fields, body, least in tables()}
CASES = [(path, name, one) for path, (shown, *_) in TABLES.items() for name, one in shown.items()]


@pytest.mark.parametrize("path", TABLES)
def test_every_field_of_the_client_is_accounted_for(path: str) -> None:
    shown, fields, *_ = TABLES[path]
    assert set(shown) == fields


@pytest.mark.parametrize(("path", "name", "one"), CASES, ids=[f"{path} {name}" for path, name, _ in CASES])
def test_what_is_said_of_a_field_is_so(path: str, name: str, one: Shown) -> None:
    *_, body, least = TABLES[path]
    assert one.good or one.bad or one.how == HEADER
    assert one.how in (REFUSED, HEADER) or one.good
    if one.how != REFUSED and one.how != HEADER:
        body(**{**least, name: None} if name not in least else least).to_chat()  # null is the default
    for value in one.good:
        body(**{**least, name: value}).to_chat()
    for value in one.bad:
        with pytest.raises((ValueError, RequestValidationError), match=name):
            body(**{**least, name: value}).to_chat()


def test_refusals_say_the_field_to_clients(small_server: Running) -> None:
    for path, name, one in CASES:
        for value in one.bad if one.how in (NEUTRAL, REFUSED) else ():
            answer = httpx.post(f"{small_server.url}{path}", json={**TABLES[path][-1], name: value})
            assert answer.status_code == 400, (path, name)
            assert name in answer.json()["error"]["message"], (path, name)


def test_the_page_has_the_table() -> None:
    page = DOCS.read_text()
    assert written(page) == page, "run: python -m tests.serve.request_fields"


def test_an_unknown_field_names_itself() -> None:
    for *_, body, least in TABLES.values():
        with pytest.raises(ValidationError, match="frobnicate"):
            body(**least, frobnicate=1)


def test_every_field_of_openais_chat_is_known() -> None:
    """The table of them is in `docs/serving.md` between the marks of `fields`."""
    params = (
        completion_create_params.CompletionCreateParamsNonStreaming,
        completion_create_params.CompletionCreateParamsStreaming,
    )
    assert {name for one in params for name in get_type_hints(one)} <= {*ChatRequest.model_fields, *UNUSED}
    said = (
        chat.ChatCompletionSystemMessageParam,
        chat.ChatCompletionDeveloperMessageParam,
        chat.ChatCompletionUserMessageParam,
        chat.ChatCompletionAssistantMessageParam,
        chat.ChatCompletionToolMessageParam,
        chat.ChatCompletionFunctionMessageParam,
    )
    assert {name for one in said for name in get_type_hints(one)} <= {*ChatMessage.model_fields}
    assert {*get_type_hints(chat.ChatCompletionStreamOptionsParam)} <= {*StreamOptions.model_fields}
    assert {*get_type_hints(chat.ChatCompletionFunctionToolParam)} <= {*Tool.model_fields}
