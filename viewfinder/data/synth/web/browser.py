"""One headless Chromium per process, which shows HTML of our own and tells what it laid out.

Nothing is loaded from anywhere: the network is cut off for every page, and the only fonts are the shipped ones. It
lives in a thread of its own (`OwnThread`).
"""

import atexit
import base64
import io
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, TypeVar

from PIL import Image

from viewfinder.data.synth.documents.sheet import Color, Sheet
from viewfinder.data.synth.shapes import PixelRectangle
from viewfinder.errors import MissingMaterial
from viewfinder.materials.chromium import find_program, font_environment
from viewfinder.materials.needs import NEEDS, require

_FLAGS = ("--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-lcd-text")
_WALK = """[...document.querySelectorAll('[data-kind]')].map(node => {
  const range = document.createRange(); range.selectNodeContents(node);
  const own = node.getBoundingClientRect();
  const inner = node.dataset.whole ? own : range.getBoundingClientRect();
  const cells = row => [...row.cells].map(c => [c.innerText, c.rowSpan, c.colSpan, c.tagName]);
  return {kind: node.dataset.kind, name: node.dataset.name || '', text: node.innerText || '',
          value: String(node.value ?? ''), checked: node.checked ?? null, focused: document.activeElement === node,
          rows: node.tagName === 'TABLE' ? [...node.rows].map(cells) : null,
          items: ['UL', 'OL'].includes(node.tagName) ? [...node.children].map(c => c.innerText) : null,
          ordered: node.tagName === 'OL', own: [own.left, own.top, own.right, own.bottom],
          rect: [inner.left, inner.top, inner.right, inner.bottom]};
})"""
_WRITE = f"""html => {{
  document.open(); document.write(html); document.close();
  document.querySelector('[autofocus]')?.focus();
  return {_WALK};
}}"""
"""Writing into the open document takes a third of the time of loading another."""
T = TypeVar("T")


class OwnThread:
    """A thread in which calls are made one after the other; results and errors come back. It ends with the process.

    Playwright's synchronous interface keeps an event loop running in the thread that started it, and refuses to start
    where one runs already: a browser kept open in the main thread would take that thread from everything else.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        Thread(target=self._work, name=name, daemon=True).start()

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function(*arguments)` returns or raises, once it was made in that thread."""
        future: Future[T] = Future()
        self._calls.put((future, lambda: function(*arguments)))
        return future.result()

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)


@dataclass(frozen=True)
class Shown:
    """A picture of a page and the marked nodes (`data-kind`) in document order, rectangles in its pixels."""

    image: Image.Image
    nodes: tuple[dict[str, Any], ...]

    def ink_box(self, rect: list[float], reach: int = 2) -> PixelRectangle | None:
        """The ink within a node's rectangle, against the commonest color there."""
        area = (int(rect[0]) - reach, int(rect[1]) - reach, int(rect[2]) + 1 + reach, int(rect[3]) + 1 + reach)
        x1, y1 = max(0, area[0]), max(0, area[1])
        x2, y2 = min(self.image.width, area[2]), min(self.image.height, area[3])
        if x2 <= x1 or y2 <= y1:
            return None
        part = self.image.crop((x1, y1, x2, y2))
        counts = part.getcolors(part.width * part.height) or [(1, (255, 255, 255))]
        ground: Color = max(counts)[1]  # type: ignore[assignment]
        sheet = Sheet(part.size, ground, ground)
        sheet.image = part
        box = sheet.ink_box((0, 0, *part.size))
        return None if box is None else (box[0] + x1, box[1] + y1, box[2] + x1, box[3] + y1)


@lru_cache(maxsize=1)
def _thread() -> OwnThread:
    return OwnThread("data-browser")


@lru_cache(maxsize=1)
def _open() -> Any:
    require("playwright", "chromium", what="a page")
    from playwright.sync_api import Error, sync_playwright

    folder = TemporaryDirectory(prefix="viewfinder-fonts-")
    variables: Any = font_environment(Path(folder.name))
    driver = sync_playwright().start()
    atexit.register(close)
    try:
        browser = driver.chromium.launch(executable_path=find_program(), args=list(_FLAGS), env=variables)
    except Error as error:
        driver.stop()
        folder.cleanup()
        reason = str(error).splitlines()[0]
        raise MissingMaterial(
            f"{find_program()} does not start ({reason}), so pages cannot be drawn; {NEEDS['chromium'].remedy}"
        ) from error
    return driver, browser, browser.new_context(offline=True), folder


@lru_cache(maxsize=4)
def _page(script: Path | None = None) -> Any:
    """A page of this process, with a script in it where one is given, and what photographs it."""
    context = _open()[2]
    page = context.new_page()
    if script is not None:
        page.add_script_tag(path=str(script))
    return page, context.new_cdp_session(page)


def show(html: str, size: tuple[int, int]) -> Shown:
    """Lay out and photograph an HTML document (with a `<head>`) as if the window had `size` pixels.

    Raises:
        MissingMaterial: there is no browser.
    """
    return _thread().call(_show, html, size)


def _show(html: str, size: tuple[int, int]) -> Shown:
    page, camera = _page()
    _widen(page, size)
    style = f"<style>html{{width:{size[0]}px}}*{{caret-color:transparent!important}}</style>"
    nodes = page.evaluate(_WRITE, html.replace("<head>", "<head>" + style, 1))
    return Shown(_photograph(camera, size), tuple(nodes))


def run(script: Path, code: str, argument: Any, size: tuple[int, int]) -> Image.Image:
    """Photograph what a drawing library shows.

    Args:
        script: the library, loaded once into a page of its own.
        code: a JavaScript function that is given the page's one element and `argument`; it may return a promise.

    Raises:
        MissingMaterial: there is no browser.
    """
    return _thread().call(_run, script, code, argument, size)


def _run(script: Path, code: str, argument: Any, size: tuple[int, int]) -> Image.Image:
    page, camera = _page(script)
    _widen(page, size)
    page.evaluate(
        "([code, argument]) => { document.body.style.margin = 0; document.body.innerHTML = '<div></div>';"
        " return eval(code)(document.body.firstChild, argument).then(() => null); }",
        [code, argument],
    )
    return _photograph(camera, size)


def _widen(page: Any, size: tuple[int, int]) -> None:
    """A window of the next whole 512 pixels: setting it anew for each picture costs more than the picture."""
    width, height = (-(-side // 512) * 512 for side in size)
    if page.viewport_size != {"width": width, "height": height}:
        page.set_viewport_size({"width": width, "height": height})


def _photograph(camera: Any, size: tuple[int, int]) -> Image.Image:
    clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
    shot = camera.send("Page.captureScreenshot", {"format": "png", "clip": clip, "optimizeForSpeed": True})
    return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")


def close() -> None:
    """End the browser of this process, if there is one."""
    if _thread.cache_info().currsize:
        _thread().call(_close)


def _close() -> None:
    if _open.cache_info().currsize:
        driver, browser, _, folder = _open()
        _page.cache_clear()
        _open.cache_clear()
        browser.close()
        driver.stop()
        folder.cleanup()
