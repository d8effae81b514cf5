"""Two hours of mixed use (a request every five seconds), as fast as it goes: nothing grows. `pytest -m slow -s`.

`VIEWFINDER_SOAK=N` sends N requests instead of 1,440; N times five seconds is the time of use they stand for.
"""

import contextlib
import json
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.media.films import write_film
from tests.serve.conftest import picture_bytes, uri
from tests.serve.hostile import CHAT, broken_files, chat, whole_files
from tests.serve.process import Process

REQUESTS = int(os.environ.get("VIEWFINDER_SOAK", "1440"))
EVERY = max(1, REQUESTS // 72)


class Visitors:
    """Four clients; `usage` is read as the requests pass."""

    def __init__(self, process: Process, folder: Path) -> None:
        self.process = process
        self.left = REQUESTS
        self.statuses: Counter[int] = Counter()
        self.usage: list[tuple[int, int]] = []
        self.problems: list[str] = []
        self._lock = threading.Lock()
        pictures = [uri(picture_bytes((120 + 4 * i, 90), kind)) for i in range(20) for kind in ("PNG", "JPEG")]
        film = uri(write_film(folder / "a.mp4", [i / 10 for i in range(20)], size=(64, 64)).read_bytes(), "video/mp4")
        broken = list(broken_files(whole_files(folder), random.Random(0)))
        look = [chat([{"type": "image_url", "image_url": {"url": p}}, {"type": "text", "text": "?"}]) for p in pictures]
        watch = chat([{"type": "video_url", "video_url": {"url": film}, "fps": 1}, {"type": "text", "text": "?"}])
        self.kinds: list[list[tuple[str, Any]]] = [
            [(CHAT, chat(f"Say {i}.")) for i in range(50)],
            [(CHAT, body) for body in look],
            [("/v1/locate", {"image": p, "query": "red box", "max_tokens": 30}) for p in pictures],
            [(CHAT, watch)],
            [(path, body) for _, path, body in broken],
            [("hang up", {**body, "stream": True, "max_tokens": 200}) for body in look],
        ]

    def visit(self, seed: int) -> None:
        chance = random.Random(seed)
        with httpx.Client(timeout=300) as http:
            while True:
                with self._lock:
                    if not self.left:
                        return
                    self.left -= 1
                    if self.left % EVERY == 0:
                        self.usage.append(self.process.usage())
                path, body = chance.choice(chance.choice(self.kinds))
                try:
                    status = self._ask(http, path, body)
                except Exception as error:
                    status = 0
                    self.problems.append(f"{path}: {error!r}")
                with self._lock:
                    self.statuses[status] += 1

    def _ask(self, http: httpx.Client, path: str, body: Any) -> int:
        if path != "hang up":
            return http.post(f"{self.process.url}{path}", json=body).status_code
        with http.stream("POST", f"{self.process.url}{CHAT}", json=body) as stream:
            with contextlib.suppress(StopIteration):
                next(stream.iter_lines())
            return stream.status_code


@pytest.mark.slow
def test_two_hours_of_mixed_use_leave_nothing_behind(tmp_path: Path) -> None:
    with Process("--cache-gb", "0.05") as process:
        visitors, start = Visitors(process, tmp_path), time.monotonic()
        threads = [threading.Thread(target=visitors.visit, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        warm, late = visitors.usage[18:30], visitors.usage[-12:]  # after a quarter, and at the end
        memory = [sorted(u[0] for u in part)[len(part) // 2] for part in (warm, late)]
        handles = [max(u[1] for u in part) for part in (warm, late)]
        figures = {"requests": REQUESTS, "statuses": dict(sorted(visitors.statuses.items())), "bytes": memory}
        figures |= {
            "handles": handles,
            "at the start": visitors.usage[0],
            "minutes": round((time.monotonic() - start) / 60, 1),
        }
        print(
            json.dumps(
                {**figures, "megabytes": [u[0] >> 20 for u in visitors.usage], "problems": visitors.problems[:5]}
            )
        )
        assert not visitors.problems
        assert all(200 <= status < 500 for status in visitors.statuses)
        assert memory[1] < 1.05 * memory[0] + 2**25
        assert handles[1] <= handles[0] + 4
        assert "Traceback" not in process.errors
