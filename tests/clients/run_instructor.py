"""instructor over the official client, in its default (tools) and its schema mode."""

from typing import Literal

import instructor
from asked import FEATURE, QUESTION, URL, no_such, picture
from openai import OpenAI
from pydantic import BaseModel


class Weather(BaseModel):
    city: Literal["Rome", "Oslo"]


def ask(mode: instructor.Mode, content: object = QUESTION) -> Weather:
    client = instructor.from_openai(OpenAI(base_url=URL, api_key="none", max_retries=0), mode=mode)
    says = [{"role": "user", "content": content}]
    return client.chat.completions.create(
        model="tiny", messages=says, response_model=Weather, max_tokens=64, max_retries=0
    )


if FEATURE == "tools":
    assert ask(instructor.Mode.TOOLS).city
elif FEATURE == "schema":
    assert ask(instructor.Mode.JSON_SCHEMA).city
elif FEATURE == "picture":
    parts = [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": picture()}}]
    assert ask(instructor.Mode.TOOLS, parts).city
elif FEATURE == "stream_tools":
    client = instructor.from_openai(OpenAI(base_url=URL, api_key="none", max_retries=0))
    says = [{"role": "user", "content": QUESTION}]
    *_, last = client.chat.completions.create_partial(
        model="tiny", messages=says, response_model=Weather, max_tokens=64, max_retries=0
    )
    assert last.city
else:
    no_such()
