"""Draws the example pictures: `python examples/make.py`. Shapes and a word, as the built-in model knows them."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
STAR = [(0, -1), (0.24, -0.32), (0.95, -0.31), (0.38, 0.12), (0.59, 0.81), (0, 0.4)]
OUTLINE = STAR + [(-x, y) for x, y in reversed(STAR[1:-1])]


def star(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: str) -> None:
    pen.polygon([(x + radius * dx, y + radius * dy) for dx, dy in OUTLINE], fill=colour)


def main() -> None:
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


if __name__ == "__main__":
    main()
