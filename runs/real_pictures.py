"""Twenty pictures that nobody generated, asked through the library: photographs, scans and screenshots.

    python runs/real_pictures.py [MODEL] [--cache FOLDER] [--out FOLDER] [--sheet FILE]

They come out of scikit-image, opencv-doc, ocrmypdf and Kivy's examples, at fixed versions (`bench.real_packages`); none
is ever trained on. Truths are what a person sees. Writes `index.html` with each picture, the question, the truth, the
answer and what was drawn; `--sheet` puts all into one picture.
"""

import argparse
import html
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import viewfinder as vf
from viewfinder.eval.metrics import character_error_rate, iou

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.real_packages import fetch

Corners = tuple[float, float, float, float]
Said = tuple[str, list[Corners]]
Ask = Callable[[vf.Viewfinder, Image.Image], Said]

OPENCV = "opencv-doc/usr/share/doc/opencv-doc"
OCR = "ocrmypdf/ocrmypdf-17.13.0"
KIVY = "python-kivy-examples/usr/share/kivy-examples"
READ_RIGHT, BOX_RIGHT = 0.2, 0.5
"""Share of wrong characters up to which a text counts as read, and overlap from which a box counts as right."""


@dataclass(frozen=True)
class Case:
    """One question; `crop` and `boxes` in pixels of the file's picture."""

    file: str
    question: str
    truth: str
    ask: Ask
    crop: tuple[int, int, int, int] | None = None
    boxes: tuple[Corners, ...] = ()

    @property
    def reads(self) -> bool:
        return self.question == "Read"


def read(file: str, truth: str, crop: tuple[int, int, int, int] | None = None) -> Case:
    return Case(file, "Read", truth, lambda model, image: (str(model.read(image)), []), crop)


def count(file: str, label: str, truth: int) -> Case:
    return Case(file, f'Count "{label}"', str(truth), lambda model, image: (str(model.count(image, label).value), []))


def locate(file: str, label: str, truth: str, *boxes: Corners) -> Case:
    def ask(model: vf.Viewfinder, image: Image.Image) -> Said:
        found = model.locate(image, label)
        return f"boxes: {len(found)}", [b.xyxy for b in found]

    return Case(file, f'Locate "{label}"', truth, ask, boxes=boxes)


def asked(file: str, question: str, truth: str) -> Case:
    return Case(file, question, truth, lambda model, image: (str(model.ask(image, question)), []))


CASES = (
    read("skimage/page", "Region-based segmentation", (0, 0, 300, 40)),
    count("skimage/coins", "gray circles", 24),
    locate("skimage/coffee", "the red circle", "the saucer", (77, 18, 483, 398)),
    asked("skimage/rocket", "What color is the background?", "blue"),
    count(f"{OPENCV}/examples/data/smarties.png", "blue circles", 3),
    locate(
        f"{OPENCV}/examples/data/smarties.png",
        "every blue circle",
        "three sweets",
        (352, 56, 403, 108),
        (322, 212, 374, 264),
        (268, 294, 322, 348),
    ),
    locate(f"{OPENCV}/examples/data/orange.jpg", "the orange circle", "the fruit", (35, 50, 465, 495)),
    asked(f"{OPENCV}/examples/data/apple.jpg", "What color is the apple?", "red"),
    asked(f"{OPENCV}/examples/data/board.jpg", "What color is the background?", "green"),
    asked(f"{OPENCV}/examples/data/home.jpg", "What color is the background?", "blue"),
    asked(f"{KIVY}/canvas/kiwi.jpg", "Is there a red star in the image?", "no"),
    read(f"{OPENCV}/examples/text/scenetext_word01.jpg", "CHINA"),
    read(f"{OPENCV}/examples/text/scenetext_word02.jpg", "HERE"),
    read(f"{OPENCV}/examples/text/scenetext_word03.jpg", "riser"),
    read(f"{OPENCV}/examples/text/scenetext_word04.jpg", "Produkt"),
    locate(f"{OPENCV}/examples/text/scenetext01.jpg", "the red rectangle", "the top of the sign", (263, 25, 440, 90)),
    read(f"{OCR}/tests/resources/crom.png", "Covfefe is a perfectly cromulent word."),
    read(f"{OCR}/tests/resources/typewriter.png", "Linzensoep à la Waterman", (100, 100, 2300, 300)),
    read(
        f"{OCR}/tests/resources/linn.png", "The LinnSequencer\n32 Track MIDI Sequence Recorder", (550, 120, 2050, 330)
    ),
    locate(
        f"{OPENCV}/opencv4/html/trackbar_screenshot.jpg", "the orange rectangle", "the lower half", (0, 250, 450, 385)
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="tiny", help="a name or a checkpoint directory")
    parser.add_argument("--cache", type=Path, default=Path("out/real-packages"), help="where packages are kept")
    parser.add_argument("--out", type=Path, default=Path("out/real"))
    parser.add_argument("--sheet", type=Path, help="one picture of all, as JPEG")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    model, rows, drawn, right = vf.load(options.model), [], [], 0
    for number, case in enumerate(CASES):
        image = _picture(case, options.cache)
        said, boxes = case.ask(model, image)
        ok, note = _verdict(case, said, boxes)
        right += ok
        print(f"{case.file.rsplit('/', 1)[-1]}: {case.question} | {case.truth!r} | {said!r} | {note}", flush=True)
        drawn.append(_drawn(image, boxes))
        lines = [("asked", case.question), ("there is", case.truth), ("answer", said), ("so", note)]
        rows.append((f"{number:02}.jpg", lines, ok))
        drawn[-1].save(options.out / rows[-1][0], quality=85)
    print(f"right: {right} of {len(CASES)}")
    _write_page(options.out / "index.html", options.model, right, rows)
    if options.sheet:
        _sheet(drawn, rows).save(options.sheet, quality=78)


def _picture(case: Case, cache: Path) -> Image.Image:
    package, inside = case.file.split("/", 1)
    if package == "skimage":
        import skimage.data

        image = Image.fromarray(getattr(skimage.data, inside)())
    else:
        folder = fetch(cache, package)
        if folder is None:
            raise SystemExit(f"{package} could not be fetched; without it its pictures cannot be asked about")
        image = Image.open(folder / inside)
    return image.convert("RGB").crop(case.crop)


def _verdict(case: Case, said: str, boxes: list[Corners]) -> tuple[bool, str]:
    if case.reads:
        wrong = character_error_rate(said, case.truth)
        return wrong <= READ_RIGHT, f"{wrong:.0%} of characters wrong"
    if case.boxes:
        best = [max((iou(box, true) for box in boxes), default=0.0) for true in case.boxes]
        ok = min(best) >= BOX_RIGHT and len(boxes) == len(case.boxes)
        return ok, f"overlap {', '.join(f'{b:.2f}' for b in best)}; {len(boxes)} boxes"
    ok = case.truth.lower() in said.lower()
    return ok, "right" if ok else "wrong"


def _drawn(image: Image.Image, boxes: list[Corners]) -> Image.Image:
    drawn = image.copy()
    for box in boxes:
        ImageDraw.Draw(drawn).rectangle(box, outline="magenta", width=max(2, image.width // 160))
    drawn.thumbnail((800, 800))
    return drawn


Rows = list[tuple[str, list[tuple[str, str]], bool]]


def _write_page(path: Path, model: str, right: int, rows: Rows) -> None:
    page = "<!doctype html><meta charset=utf-8><title>Real pictures</title><style>body{font:16px sans-serif;"
    page += (
        "margin:2em;max-width:60em}figure{margin:2em 0}img{max-width:30em}</style><h1>Pictures nobody generated</h1>"
    )
    page += f"<p>Model: {html.escape(model)}; right: {right} of {len(rows)}</p>"
    for file, lines, _ in rows:
        text = "".join(f"<br><b>{name}</b>: {html.escape(value)}" for name, value in lines)
        page += f'<figure><img src="{file}" alt="{file}"><figcaption>{text}</figcaption></figure>'
    path.write_text(page)


def _sheet(drawn: list[Image.Image], rows: Rows, columns: int = 5, width: int = 250, height: int = 270) -> Image.Image:
    """All pictures with their answers, five a row; what is right has a green line above, what is wrong a red one."""
    sheet = Image.new("RGB", (columns * width, -(-len(rows) // columns) * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (image, (_, lines, ok)) in enumerate(zip(drawn, rows, strict=True)):
        x, y = number % columns * width, number // columns * height
        small = image.copy()
        small.thumbnail((width - 16, 160))
        sheet.paste(small, (x + 8, y + 12))
        pen.rectangle((x + 8, y + 4, x + width - 8, y + 8), fill="#1a7f37" if ok else "#cf222e")
        (_, question), _, (_, said), (_, note) = lines
        for line, text in enumerate(textwrap.wrap(f"{question} -> {' '.join(said.split())} ({note})", 36)[:5]):
            pen.text((x + 8, y + 178 + 17 * line), text, fill="black", font=font)
    return sheet


if __name__ == "__main__":
    main()
