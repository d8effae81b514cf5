"""Five pictures that nobody generated, asked through the library: `python runs/real_pictures.py [MODEL] [--out DIR]`.

A printed page under a camera, handwriting, coins, a cup and a rocket, all in scikit-image's package (no known
copyright restrictions, or CC0, by its documentation); none is ever trained on. Writes `index.html` with each picture,
the question, the truth as a person sees it, the answer, and what was drawn; scored is what has one answer.
"""

import argparse
import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

import viewfinder as vf
from viewfinder.eval.metrics import character_error_rate, iou

Said = tuple[str, list[tuple[float, float, float, float]]]


@dataclass(frozen=True)
class Case:
    """One question; `crop` in pixels of the collection's picture."""

    name: str
    question: str
    truth: str
    ask: Callable[[vf.Viewfinder, Image.Image], Said]
    crop: tuple[int, int, int, int] | None = None
    box: tuple[float, float, float, float] | None = None
    read: bool = False


def _read(model: vf.Viewfinder, image: Image.Image) -> Said:
    return str(model.read(image)), []


def _count(label: str) -> Callable[[vf.Viewfinder, Image.Image], Said]:
    return lambda model, image: (str(model.count(image, label).value), [])


def _locate(label: str) -> Callable[[vf.Viewfinder, Image.Image], Said]:
    def ask(model: vf.Viewfinder, image: Image.Image) -> Said:
        found = model.locate(image, label)
        return f"boxes: {len(found)}", [(b.x1, b.y1, b.x2, b.y2) for b in found]

    return ask


def _ask(question: str) -> Callable[[vf.Viewfinder, Image.Image], Said]:
    return lambda model, image: (str(model.ask(image, question)), [])


CASES = (
    Case("page", "Read", "Region-based segmentation", _read, crop=(0, 0, 300, 40), read=True),
    Case("coins", 'Count "gray circles"', "24", _count("gray circles")),
    Case("coffee", 'Locate "the red circle"', "the saucer", _locate("the red circle"), box=(77, 18, 483, 398)),
    Case("rocket", "What color is the background?", "blue", _ask("What color is the background?")),
    Case("text", "Read", "no line of type: handwritten formulas, cut off", _read),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="tiny", help="a name or a checkpoint directory")
    parser.add_argument("--out", type=Path, default=Path("out/real"))
    options = parser.parse_args()
    import skimage.data

    options.out.mkdir(parents=True, exist_ok=True)
    model, rows = vf.load(options.model), []
    for case in CASES:
        image = Image.fromarray(getattr(skimage.data, case.name)()).convert("RGB").crop(case.crop)
        said, boxes = case.ask(model, image)
        note = _verdict(case, said, boxes)
        print(f"{case.name}: {case.question} | {case.truth} | {said!r} | {note}")
        rows.append(_row(options.out, case, image, said, boxes, note))
    page = "<!doctype html><meta charset=utf-8><title>Five real pictures</title><style>body{font:16px sans-serif;"
    page += "margin:2em;max-width:60em}figure{margin:2em 0}img{max-width:30em}</style><h1>Five real pictures</h1>"
    (options.out / "index.html").write_text(page + f"<p>Model: {html.escape(options.model)}</p>" + "".join(rows))


def _verdict(case: Case, said: str, boxes: list[tuple[float, float, float, float]]) -> str:
    if case.read and case.crop:
        return f"character error rate {character_error_rate(said, case.truth):.0%}"
    if case.box:
        return f"IoU {max((iou(box, case.box) for box in boxes), default=0.0):.2f}"
    return "right" if case.truth.lower() in said.lower() else "wrong"


def _row(out: Path, case: Case, image: Image.Image, said: str, boxes: list[tuple[float, ...]], note: str) -> str:
    drawn = image.copy()
    for box in boxes:
        ImageDraw.Draw(drawn).rectangle(box, outline="yellow", width=4)
    drawn.save(out / f"{case.name}.jpg", quality=85)
    lines = (("asked", case.question), ("there is", case.truth), ("answer", said), ("so", note))
    text = "".join(f"<br><b>{name}</b>: {html.escape(value)}" for name, value in lines)
    return f'<figure><img src="{case.name}.jpg" alt="{case.name}"><figcaption>{text}</figcaption></figure>'


if __name__ == "__main__":
    main()
