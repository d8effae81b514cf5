"""What large refused requests took of the memory is given back."""

import gc
import json
import threading
import time
import weakref
from pathlib import Path

import httpx
import pytest

from tests.serve.hostile import CHAT, chat
from tests.serve.process import Process
from viewfinder.errors import ViewfinderError
from viewfinder.serve.answering import error_response


class _Text:
    """Stands for megabytes."""


def test_an_error_that_was_answered_keeps_nothing_of_its_request() -> None:
    kept: list[weakref.ref[_Text]] = []
    errors: list[ViewfinderError] = []

    def refuse() -> None:
        text = _Text()
        kept.append(weakref.ref(text))
        raise ViewfinderError("too long")

    try:
        refuse()
    except ViewfinderError as error:
        errors.append(error)
    gc.disable()
    try:
        assert error_response(errors[0]).status_code == 400
        assert kept[0]() is None, "its frames would keep the texts until a collection"
    finally:
        gc.enable()


@pytest.mark.slow
def test_refused_texts_are_given_back_within_seconds() -> None:
    body = json.dumps(chat("x" * 24_000_000)).encode()
    statuses: list[int] = []
    with Process() as process:

        def ask(data: bytes) -> None:
            headers = {"content-type": "application/json"}
            statuses.append(httpx.post(f"{process.url}{CHAT}", content=data, headers=headers, timeout=300).status_code)

        def resident() -> int:
            return 4096 * int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])

        ask(json.dumps(chat("x")).encode())
        before = resident()
        threads = [threading.Thread(target=ask, args=(body,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        deadline = time.monotonic() + 20
        while resident() > before + 30_000_000 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert statuses == [200, 400, 400, 400, 400]
        assert resident() <= before + 30_000_000, "of 96 MB of texts, more than 30 are kept"
