"""What the server fetches for strangers: only from outside, whatever redirects and names do in between."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pypdfium2
import pytest

from tests.media.films import write_film
from tests.serve.conftest import picture_bytes
from tests.serve.hostile_web import FILM, PAGES, PICTURE, Case, controls, fetching, leaks
from tests.serve.internet import Web
from tests.serve.process import Process


def pages(folder: Path) -> dict[str, bytes]:
    """What the web server outside has to offer."""
    film = write_film(folder / "a.mp4", [i / 10 for i in range(12)], size=(64, 48)).read_bytes()
    document, sink = pypdfium2.PdfDocument.new(), io.BytesIO()
    document.new_page(100, 100)
    document.save(sink)
    return {PICTURE: picture_bytes(), FILM: film, PAGES: sink.getvalue()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, Web, Web]]:
    """The server, what it may reach, and what it may not."""
    with Web(pages(tmp_path_factory.mktemp("web"))) as outside, Web({}) as inside:
        ports = (str(outside.port), str(inside.port))
        with Process("--decode-workers", "1", internet=ports) as process:
            yield process, outside, inside


def ask(process: Process, *cases: Case) -> list[httpx.Response]:
    """All of them, eight at a time."""
    with httpx.Client(base_url=process.url, timeout=120) as http, ThreadPoolExecutor(8) as threads:
        return list(threads.map(lambda case: http.post(case[1], json=case[2]), cases))


def test_hostile_addresses_reach_nothing_inside(world: tuple[Process, Web, Web]) -> None:
    process, _, inside = world
    cases = list(fetching())
    answers = ask(process, *cases)
    assert inside.asked == []
    for (name, _, body), answer in zip(cases, answers, strict=True):
        assert 400 <= answer.status_code < 500, (name, answer.text)
        assert not leaks(answer.text, body), (name, answer.text)
    assert "Traceback" not in process.errors


def test_sound_addresses_are_fetched(world: tuple[Process, Web, Web]) -> None:
    process, outside, inside = world
    cases = list(controls())
    for case, answer in zip(cases, ask(process, *cases), strict=True):
        assert answer.status_code == 200, (case[0], answer.text)
    (again,) = ask(process, cases[-1])
    assert again.status_code == 422, "a name is looked up for each request"
    assert outside.asked.count(f"a.rebind.test{PICTURE}") == 1
    assert inside.asked == []


def test_redirects_end(world: tuple[Process, Web, Web]) -> None:
    process, outside, _ = world
    (case,) = [case for case in fetching() if case[0] == "redirects without end"]
    before = len(outside.asked)
    (answer,) = ask(process, case)
    assert "redirected more than 5 times" in answer.text
    assert len(outside.asked) - before == 6
