"""What pictures are drawn on: flat colors, gradients, stripes, noise, clutter, paper; and what a camera adds."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.drawn_text import keep_notes

Color = tuple[int, int, int]


def ground(rng: np.random.Generator, size: tuple[int, int], difficulty: float = 0.5) -> Image.Image:
    """A background: plain when easy, with texture and clutter when hard."""
    kind = rng.random() * (0.4 + difficulty)
    if kind < 0.3:
        return Image.new("RGB", size, any_color(rng))
    if kind < 0.6:
        return _gradient(rng, size)
    if kind < 0.8:
        return _stripes(rng, size)
    return _clouds(rng, size) if kind < 1.1 else _clutter(rng, _clouds(rng, size))


def any_color(rng: np.random.Generator, low: int = 0, high: int = 255) -> Color:
    r, g, b = rng.integers(low, high + 1, 3).tolist()
    return r, g, b


def contrasting(rng: np.random.Generator, light: float, spread: int = 70) -> Color:
    """A dark color on light ground, a light one on dark."""
    return any_color(rng, 0, spread) if light > 128 else any_color(rng, 255 - spread, 255)


def _gradient(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    corners = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    return Image.fromarray(corners).resize(size, Image.Resampling.BILINEAR)


def _stripes(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    first = np.array(any_color(rng), float)
    second = np.clip(first + rng.normal(0, 40, 3), 0, 255)
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    along = (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) / rng.uniform(4, 30)
    share = (np.sin(along) > 0 if chance(rng, 0.5) else (np.sin(along) + 1) / 2)[..., None]
    return Image.fromarray((first + (second - first) * share).astype(np.uint8))


def _clouds(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Soft noise of several scales, as blurred photographs look."""
    total = np.full((size[1], size[0], 3), 128.0)
    for cells in (3, 7, 17):
        small = rng.normal(0, 260 / (cells + 3), (cells, cells, 3)).astype(np.float32)
        planes = [Image.fromarray(small[..., c]).resize(size, Image.Resampling.BICUBIC) for c in range(3)]
        total += np.stack([np.asarray(plane) for plane in planes], axis=-1)
    return Image.fromarray(np.clip(total, 0, 255).astype(np.uint8))


def _clutter(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Nameless lines and blobs over a ground."""
    draw = ImageDraw.Draw(image)
    width, height = image.size
    for _ in range(number(rng, 3, 14)):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        dx, dy = (int(v) for v in rng.integers(5, max(6, min(image.size) // 3), 2))
        shape = pick(rng, ("line", "arc", "pie"))
        if shape == "line":
            draw.line((x, y, x + dx, y + dy), fill=any_color(rng), width=number(rng, 1, 4))
        elif shape == "arc":
            draw.arc((x, y, x + dx, y + dy), 0, number(rng, 60, 300), fill=any_color(rng), width=number(rng, 1, 4))
        else:
            draw.pieslice((x, y, x + dx, y + dy), 0, number(rng, 40, 320), fill=any_color(rng))
    return image


def camera(rng: np.random.Generator, image: Image.Image, difficulty: float) -> Image.Image:
    """Sometimes blur, noise, a change of light, or a poor JPEG; nothing moves."""
    if chance(rng, 0.3 * difficulty):
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.5 + 0.6 * difficulty))))
    if chance(rng, 0.5 * difficulty):
        pixels = np.asarray(image, np.int16)
        noise = rng.normal(0, rng.uniform(1, 4 + 10 * difficulty), (*pixels.shape[:2], 1)) + rng.normal(0, 8)
        image = keep_notes(image, Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)))
    if chance(rng, 0.3 * difficulty):
        sink = io.BytesIO()
        image.save(sink, "JPEG", quality=number(rng, 40, 85))
        image = keep_notes(image, Image.open(sink).convert("RGB"))
    return image
