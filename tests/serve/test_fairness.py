"""One key's heavy requests leave another key's requests quick. Run with `pytest -m slow -s` for the figures."""

import json
import threading
import time
from statistics import median
from typing import Any

import httpx
import pytest

from tests.serve.hostile import CHAT, chat, medium, uri
from tests.serve.process import Process


def blank_pdf(pages: int, side: int = 14400) -> bytes:
    """A PDF of about a kilobyte with many blank pages, all of them the same object, each `side` points square."""
    kids = " ".join(["3 0 R"] * pages)
    objects = (
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {pages}/Kids[{kids}]>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {side} {side}]>>",
    )
    text, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(text))
        text += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    start = len(text)
    text += f"xref\n0 4\n0000000000 65535 f \n{table}trailer<</Size 4/Root 1 0 R>>\nstartxref\n{start}\n%%EOF"
    return text.encode()


def heavy_bodies() -> list[tuple[str, dict[str, Any]]]:
    """Small bodies that ask for much: pages by the hundred, the same page many times."""
    many, one = uri(blank_pdf(120), "application/pdf"), uri(blank_pdf(1), "application/pdf")
    return [
        ("/v1/parse", {"document": many, "max_tokens": 1}),
        ("/v1/parse", {"document": one, "pages": [1] * 300, "max_tokens": 1}),
        ("/v1/extract", {"document": many, "schema": ["a"], "max_tokens": 1}),
        ("/preview", {"source": many}),
        ("/preview", {"source": one, "pages": [1] * 40}),
        (CHAT, medium("document", many)),
    ]


@pytest.mark.slow
def test_blank_pages_of_one_key_do_not_delay_another() -> None:
    dot = uri(_dot())
    with Process(keys=("good", "evil")) as server:

        def ask(key: str, path: str, body: dict[str, Any]) -> tuple[float, int]:
            start = time.monotonic()
            headers = {"Authorization": f"Bearer {key}"}
            status = httpx.post(f"{server.url}{path}", json=body, headers=headers, timeout=300).status_code
            return time.monotonic() - start, status

        good = {
            **chat([{"type": "image_url", "image_url": {"url": dot}}, {"type": "text", "text": "?"}]),
            "max_tokens": 1,
        }
        ask("good", CHAT, good)
        alone = median(ask("good", CHAT, good)[0] for _ in range(5))
        before = server.usage()[0]
        taken: list[tuple[float, int]] = []
        threads = [threading.Thread(target=lambda b=b: taken.append(ask("evil", *b))) for b in heavy_bodies()]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        beside: list[float] = []
        peak = before
        while len(beside) < 8:
            seconds, status = ask("good", CHAT, good)
            assert status == 200
            beside.append(seconds)
            peak = max(peak, server.usage()[0])
        for thread in threads:
            thread.join()
        figures = {
            "alone": round(alone, 3),
            "beside": [round(s, 3) for s in beside],
            "heavy": sorted((round(s, 1), status) for s, status in taken),
            "MB more at the peak": (peak - before) // 2**20,
        }
        print(json.dumps(figures))
        assert max(beside) < max(4 * alone, 0.5), figures
        assert peak < before + 2**30, figures


def _dot() -> bytes:
    from tests.serve.hostile import png_of

    return png_of(1, 1, b"\0\1\1\1")
