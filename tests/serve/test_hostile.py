"""Eight good clients beside hundreds of hostile requests: the good never notice. Run with `pytest -m slow`.

The server is a process of its own, as users run it; figures are printed (`-s`).
"""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serve.hostile import CHAT, Request, corpus, uri
from tests.serve.hostile_web import leaks
from tests.serve.internet import Web
from tests.serve.process import Process
from tests.serve.test_web import pages

EXAMPLE = Path(__file__).parents[2] / "examples" / "shapes.png"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Process, Web]]:
    """The server, and the web server in its network that nobody may reach."""
    with Web(pages(tmp_path)) as outside, Web({}) as inside:
        ports = (str(outside.port), str(inside.port))
        with Process(internet=ports, keys=("good", "evil")) as running:
            yield running, inside


def good_body() -> dict[str, Any]:
    content = [
        {"type": "image_url", "image_url": {"url": uri(EXAMPLE.read_bytes())}},
        {"type": "text", "text": "What color is the star?"},
    ]
    return {"model": "tiny", "messages": [{"role": "user", "content": content}], "max_tokens": 12, "temperature": 0}


def _slow_body(port: int) -> None:
    """Headers, then a byte now and then."""
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer evil\r\nContent-Length: 9\r\n"
    head += "Content-Type: application/json\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(head.encode())
        for _ in range(8):
            time.sleep(1)
            slow.sendall(b" ")


class Crowd:
    """Good clients that ask the same over and over, and hostile ones that share the corpus."""

    def __init__(self, url: str, requests: list[Request]) -> None:
        self.url, self.requests = url, requests
        self.good: Counter[tuple[int, str]] = Counter()
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self.slowest: tuple[float, str] = (0.0, "")
        self.done = threading.Event()
        self._lock = threading.Lock()

    def be_good(self) -> None:
        with httpx.Client(timeout=600, headers={"Authorization": "Bearer good"}) as http:
            while not self.done.is_set():
                try:
                    answer = http.post(f"{self.url}{CHAT}", json=good_body())
                    text = answer.json()["choices"][0]["message"]["content"] if answer.is_success else answer.text
                    outcome = answer.status_code, text
                except Exception as error:
                    outcome = 0, repr(error)
                with self._lock:
                    self.good[outcome] += 1

    def be_evil(self, first: int, step: int) -> None:
        headers = {"Authorization": "Bearer evil", "content-type": "application/json"}
        with httpx.Client(timeout=600, headers=headers) as http:
            for name, path, body in self.requests[first::step]:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                start = time.monotonic()
                try:
                    answer = http.post(f"{self.url}{path}", content=data)
                    status, text = answer.status_code, answer.text
                except Exception as error:
                    status, text = 0, repr(error)
                with self._lock:
                    self.statuses[status] += 1
                    self.slowest = max(self.slowest, (round(time.monotonic() - start, 1), name))
                    if not 200 <= status < 500 or leaks(text, body):
                        self.failures.append(f"{name}: {status} {text[:200]}")


@pytest.mark.slow
def test_good_clients_never_notice_hostile_ones(world: tuple[Process, Web], tmp_path: Path) -> None:
    process, inside = world
    crowd = Crowd(process.url, corpus(tmp_path))
    assert len(crowd.requests) >= 2000
    before, peak, start = process.usage(), 0, time.monotonic()
    good = [threading.Thread(target=crowd.be_good) for _ in range(8)]
    evil = [threading.Thread(target=crowd.be_evil, args=(i, 4)) for i in range(4)]
    evil += [threading.Thread(target=_slow_body, args=(process.port,)) for _ in range(6)]
    for thread in (*good, *evil):
        thread.start()
    while any(thread.is_alive() for thread in evil):
        peak = max(peak, process.usage()[0])
        time.sleep(0.1)
    crowd.done.set()
    for thread in (*good, *evil):
        thread.join()
    after = process.usage()
    figures = {
        "hostile": len(crowd.requests),
        "statuses": dict(sorted(crowd.statuses.items())),
        "good": crowd.good.total(),
        "seconds": round(time.monotonic() - start, 1),
        "slowest": crowd.slowest,
        "bytes before, at the peak, after": (before[0], peak, after[0]),
        "handles before, after": (before[1], after[1]),
    }
    print(json.dumps(figures))
    assert {status for status, _ in crowd.good} == {200}, crowd.good
    assert len(crowd.good) == 1, "a good answer was disturbed"
    assert not crowd.failures, "\n".join(crowd.failures)
    assert inside.asked == []
    assert peak < before[0] + 3 * 2**30
    assert after[1] <= before[1] + 16
    assert "Traceback" not in process.errors
