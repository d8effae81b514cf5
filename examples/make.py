"""Draws the examples (`python examples/make.py`): shapes, a word, a page and a clip of what the built-in model knows, a
receipt.

The receipt, the discs, the clip and a PDF also stand in the playground's folder, for people without a file at hand.
"""

import shutil
import time
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from viewfinder.media.encode import write_clip

HERE = Path(__file__).parent
PLAYGROUND = HERE.parent / "viewfinder" / "serve" / "static"
STAR = [(0, -1), (0.24, -0.32), (0.95, -0.31), (0.38, 0.12), (0.59, 0.81), (0, 0.4)]
OUTLINE = STAR + [(-x, y) for x, y in reversed(STAR[1:-1])]


def star(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, color: str) -> None:
    pen.polygon([(x + radius * dx, y + radius * dy) for dx, dy in OUTLINE], fill=color)


BOUGHT = (
    ("2 x Rye bread", "7.80"),
    ("1 x Butter, salted", "3.15"),
    ("6 x Eggs, free range", "3.60"),
    ("1 x Cherry jam", "4.25"),
    ("3 x Oranges", "2.40"),
)


def receipt() -> Image.Image:
    """A till receipt of 420 x 600 pixels; the words TOTAL EUR 21.20 stand within (36, 376) to (384, 400)."""
    paper = Image.new("RGB", (420, 600), "#fbfaf6")
    pen = ImageDraw.Draw(paper)

    def line(y: int, left: str, right: str = "", size: int = 17, middle: bool = False) -> None:
        font = ImageFont.load_default(size)
        if middle:
            pen.text((210, y), left, fill="#222", font=font, anchor="mm")
            return
        pen.text((36, y), left, fill="#222", font=font, anchor="lm")
        pen.text((384, y), right, fill="#222", font=font, anchor="rm")

    def rule(y: int) -> None:
        for x in range(36, 384, 9):
            pen.line((x, y, x + 5, y), fill="#888", width=1)

    line(52, "CORNER GROCER", size=28, middle=True)
    line(86, "12 Mill Lane, Harbour Town", size=14, middle=True)
    line(108, "17 May 2025   14:32   till 3", size=14, middle=True)
    rule(134)
    for i, (what, price) in enumerate(BOUGHT):
        line(164 + 30 * i, what, price)
    rule(316)
    line(344, "Subtotal", "21.20")
    line(388, "TOTAL", "EUR 21.20", size=26)
    rule(418)
    line(446, "Card payment", "21.20")
    line(474, "VAT 7 % included", "1.39")
    line(530, "Thank you, come again", size=15, middle=True)
    for i, x in enumerate(range(110, 312, 4)):
        pen.rectangle((x, 552, x + (i * 7) % 3, 580), fill="#222")
    return paper


def page() -> Image.Image:
    """A page of 252 x 224 pixels: a heading, three lines, a table of two by three."""
    paper = Image.new("RGB", (252, 224), "white")
    pen = ImageDraw.Draw(paper)
    pen.text((14, 12), "Harbour news", fill="#111", font=ImageFont.load_default(24))
    for i, words in enumerate(("The ferry leaves at nine.", "Boats are for hire.", "Bring warm clothes.")):
        pen.text((14, 54 + 22 * i), words, fill="#111", font=ImageFont.load_default(16))
    for i, row in enumerate((("Boat", "Price"), ("Canoe", "12"), ("Skiff", "20"))):
        for j, word in enumerate(row):
            pen.rectangle((14 + 100 * j, 136 + 24 * i, 114 + 100 * j, 160 + 24 * i), outline="#555")
            pen.text((22 + 100 * j, 139 + 24 * i), word, fill="#111", font=ImageFont.load_default(16))
    return paper


def clip(path: Path, shown: tuple[float, float] = (3.0, 6.0), seconds: float = 10.0) -> None:
    """112 x 112 pixels at 12 frames a second, on which a red disc is seen from `shown[0]` to `shown[1]` seconds."""
    frames = [Image.new("RGB", (112, 112), "#f4f1ea") for _ in range(round(seconds * 12))]
    for i, frame in enumerate(frames):
        if shown[0] <= i / 12 < shown[1]:
            ImageDraw.Draw(frame).ellipse((36, 30, 80, 74), fill="#cc2222")
    write_clip(path, frames, 12, crf="20")


def leaflet(path: Path) -> None:
    """A PDF of two scanned pages; drawn at 150 dpi they have 504 x 448 pixels."""
    first, second = (page().resize((504, 448)) for _ in range(2))
    ImageDraw.Draw(second).rectangle((0, 0, 504, 100), fill="white")
    ImageDraw.Draw(second).text((28, 24), "Second page", fill="#111", font=ImageFont.load_default(48))
    day = time.gmtime(0)
    first.save(path, save_all=True, append_images=[second], resolution=150, creationDate=day, modDate=day)


def main() -> None:
    for folder in (HERE, PLAYGROUND):
        receipt().save(folder / "receipt.png", optimize=True)

    shapes = Image.new("RGB", (140, 112), "#f4f1ea")
    pen = ImageDraw.Draw(shapes)
    star(pen, 40, 40, 24, "#1f5fd0")
    pen.ellipse((84, 58, 124, 98), outline="#f08a1c", width=9)
    shapes.save(HERE / "shapes.png")

    three = Image.new("RGB", (140, 112), "#f4f1ea")
    pen = ImageDraw.Draw(three)
    for x, y in ((30, 30), (100, 40), (58, 84)):
        pen.ellipse((x - 16, y - 16, x + 16, y + 16), fill="#2a9d3c")
    three.save(HERE / "three.png")

    word = Image.new("RGB", (140, 84), "white")
    ImageDraw.Draw(word).text((70, 42), "stone", fill="black", font=ImageFont.load_default(30), anchor="mm")
    word.save(HERE / "word.png")

    page().save(HERE / "page.png", optimize=True)
    clip(HERE / "clip.mp4")
    shutil.copy(HERE / "clip.mp4", PLAYGROUND)
    three.save(PLAYGROUND / "three.png")
    leaflet(PLAYGROUND / "leaflet.pdf")


if __name__ == "__main__":
    main()
