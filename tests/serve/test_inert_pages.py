"""Words of models and pages in a real browser: no script of theirs runs, no picture is fetched, no link runs one.

The markers are harmless: each would set `window.ran`, or ask a host that does not exist.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.agent.test_loop import click, finish, model, run
from tests.eval.little import NOWHERE, Says, words_task
from viewfinder.agent.trajectory import Recorder, load_trajectory
from viewfinder.agent.viewer import write_viewer
from viewfinder.eval.report import Gallery
from viewfinder.eval.report import page as report_page
from viewfinder.eval.runner import RunOptions, Subject
from viewfinder.eval.runner import run as evaluate
from viewfinder.outputs.document.document import Document

WORDS = (
    "<script>window.ran=1</script> <img src=x onerror=window.ran=1> ![x](http://evil.test/pixel.png) "
    "[go](javascript:window.ran=1) [data](data:text/html,x) <javascript:window.ran=1> <svg onload=window.ran=1>\n\n"
    "[ref]: javascript:window.ran=1\n\n[ref]\n\n<iframe srcdoc='<script>parent.ran=1</script>'></iframe>\n"
)
LINKS = "[...document.links].map(link => link.protocol).filter(one => !['http:', 'https:', 'mailto:'].includes(one))"


def agent_run(folder: Path) -> str:
    run(model(click(130, 55), finish), recorder=Recorder(folder))
    file = folder / "trajectory.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0] |= {"task": WORDS}
    lines[1] |= {"verdict": WORDS, "note": WORDS, "thought": WORDS, "where": WORDS, "target": {"label": WORDS}}
    lines[-1] |= {"note": WORDS, "where": WORDS}
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return write_viewer(load_trajectory(folder)).read_text()


def evaluation(_: Path) -> str:
    gallery = Gallery()
    score = evaluate(words_task(2), NOWHERE, Subject(Says(lambda _: WORDS), WORDS), RunOptions(on_scored=gallery.add))
    return report_page([(score, gallery)], WORDS)


def parsed_page(_: Path) -> str:
    """As Markdown that the most trusting viewer shows, which lets HTML and tables through."""
    hidden = '<a href="javascript:window.ran=1">go</a> <a href="https://example.org/">home</a>'
    answer = (
        f"<html><body><h2>{WORDS}</h2><p>{WORDS} {hidden}</p><table><tr><td>{WORDS}</td></tr></table></body></html>"
    )
    words = WORDS.replace("<", "&lt;")
    text = Document.from_html(answer).to_markdown() + Document.from_html(answer.replace(WORDS, words)).to_markdown()
    trusting = MarkdownIt("commonmark", {"html": True}).enable("table")
    trusting.validateLink = lambda url: True  # type: ignore[method-assign]
    return trusting.render(text)


@pytest.mark.parametrize("made", [agent_run, evaluation, parsed_page])
def test_words_of_models_and_pages_are_inert(browser: Any, tmp_path: Path, made: Any) -> None:
    (tmp_path / "page.html").write_text(made(tmp_path), encoding="utf-8")
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_timeout(100)
    assert "window.ran" in page.inner_text("body"), "the words are there, as text"
    assert page.evaluate("window.ran") is None
    assert page.evaluate(LINKS) == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    page.close()
